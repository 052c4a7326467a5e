"""HTTP client of the operators: one request at a time on a connection that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .http_connection import HttpConnection, Response, connect


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """An answer: status, headers by lower-case name, and the body."""

    status: int
    headers: Mapping[str, str]
    body: Any


class RestWire:
    """A client of a REST API on loopback, whose port may be another one each time."""

    def __init__(self) -> None:
        self._kept: HttpConnection | None = None

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
                    connection = await connect(port)
                text = _request(port, request, headers, orjson.dumps(body))
                response = await connection.send(text)
        except (OSError, TimeoutError):
            if connection is not None:
                connection.abort()
            return None
        self._kept = connection
        return _read(response)


def _request(port: int, request: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [
        f"{request} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _read(response: Response) -> RestAnswer:
    status, *lines = response.head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    return RestAnswer(int(status[9:12]), headers, orjson.loads(response.body))
