"""HTTP client of the operators: one request at a time on a connection that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """An answer: status, headers by lower-case name, and the body."""

    status: int
    headers: Mapping[str, str]
    body: Any


class RestWire:
    """A client of a REST API on loopback, whose port may be another one each time."""

    def __init__(self) -> None:
        self._kept: _Connection | None = None

    async def ask(
        self,
        port: int,
        request: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any],
        timeout_s: float,
    ) -> RestAnswer | None:
        """Return the answer; ``None`` if none came in time, or the connection broke.

        Args:
            port: of the server.
            request: method and path.
            headers: besides those of every request.
            body: sent as JSON.
            timeout_s: for all of it.

        """
        connection, self._kept = self._kept, None
        try:
            async with asyncio.timeout(timeout_s):
                if connection is None or connection.port != port or not connection.is_open:
                    connection = await _connect(port)
                answer = await connection.post(request, headers, orjson.dumps(body))
        except (OSError, TimeoutError):
            if connection is not None:
                connection.abort()
            return None
        self._kept = connection
        return answer


async def _connect(port: int) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: _Connection(port), "127.0.0.1", port)
    return connection


class _Connection(asyncio.Protocol):
    def __init__(self, port: int) -> None:
        self.port = port
        self.is_open = True
        self._transport: asyncio.Transport | None = None
        self._came = b""
        self._waiter: asyncio.Future[RestAnswer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # TCP
        self._transport = transport

    def post(
        self, request: str, headers: Mapping[str, str], body: bytes
    ) -> asyncio.Future[RestAnswer]:
        """Send a request; return the future of its answer."""
        assert self._transport is not None  # it is connected
        lines = [
            f"{request} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self._waiter

    def abort(self) -> None:
        """Break it off."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, found, rest = self._came.partition(b"\r\n\r\n")
        if not found:
            return
        status, *lines = head.decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        length = int(headers["content-length"])
        if len(rest) < length:
            return
        body, self._came = rest[:length], rest[length:]
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(RestAnswer(int(status[9:12]), headers, orjson.loads(body)))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError())
