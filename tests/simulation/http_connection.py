"""HTTP connection of the simulated world's clients, with as little in it as there can be."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

LENGTH = b"content-length:"


class Response(NamedTuple):
    """Response as it came: its head up to the empty line, and its body."""

    head: bytes
    body: bytes


class HttpConnection(asyncio.Protocol):
    """Connection that takes one request at a time.

    Args:
        port: of the server, on loopback.

    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.is_open = True
        self._transport: asyncio.Transport | None = None
        self._came = b""
        self._waiter: asyncio.Future[Response] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # TCP
        self._transport = transport

    def send(self, request: bytes) -> asyncio.Future[Response]:
        """Send a whole request; return the future of its response."""
        assert self._transport is not None  # it is connected
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiter

    def abort(self) -> None:
        """Break it off."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._came += data
        end = self._came.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = self._came[:end].lower()
        begin = head.index(LENGTH) + len(LENGTH)
        whole = end + int(head[begin : head.index(b"\r", begin)])
        if len(self._came) >= whole:
            response = Response(self._came[: end - 4], self._came[end:whole])
            self._came = self._came[whole:]
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError())


async def connect(port: int) -> HttpConnection:
    """Open a connection to a server on loopback."""
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(lambda: HttpConnection(port), "127.0.0.1", port)
    return made
