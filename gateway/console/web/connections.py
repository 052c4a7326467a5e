"""Connections of the console: how many, and which one makes room for another.

An answer that its reader does not take is cut after :data:`UNREAD_S`. Where there are too many
connections, the one that has been idle for longest makes room, or else the one whose body has been
on its way for longest: whoever floods the port pushes out its own connections.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web

from ea_bridge.loopback import BACKLOG
from gateway.http.server import HttpConnection, HttpServer, OnHeaders, head_fault

MAX_CONNECTIONS = 1024
STOP_S = 2.0
UNREAD_S = 30.0
"""An answer that its reader does not take is cut after that."""


class PageConnection(HttpConnection):
    """One connection of a browser, a program or a daemon."""

    def __init__(self, connections: PageConnections) -> None:
        super().__init__(connections)
        self._connections = connections
        self._unread: asyncio.TimerHandle | None = None

    def admitted(self, wire: asyncio.Transport) -> bool:
        """Count the new connection; ``False`` if there is no room for it."""
        return self._connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._connections.closed(self)
        self._stop_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().pause_writing()
        self._unread = asyncio.get_running_loop().call_later(UNREAD_S, self.abort)

    def resume_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().resume_writing()
        self._stop_unread()

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def bad_request(self) -> web.Response:
        """Return the answer to what is no HTTP; it ends the connection."""
        return _closing(400, "This is no HTTP request.\n")

    def failure(self, trace_id: str) -> web.Response:
        """Return the answer where a handler failed; it ends the connection."""
        return _closing(500, f"This failed. Reference: {trace_id}\n")


class PageConnections(HttpServer):
    """Maker of the console's connections; it counts them.

    Args:
        application: the server of aiohttp's application, which answers the requests.
        on_headers: puts the last headers on each answer.

    """

    def __init__(self, application: web.Server, on_headers: OnHeaders) -> None:
        super().__init__(self._handle, application.request_factory, on_headers)
        self._answer = application.request_handler
        self._open: set[PageConnection] = set()
        self._idle: dict[PageConnection, None] = {}
        """Those between two requests; the longest idle comes first."""
        self._busy: dict[PageConnection, web.BaseRequest] = {}
        """Those with a request, and that; the longest comes first."""

    def __call__(self) -> PageConnection:
        return PageConnection(self)

    def __len__(self) -> int:
        return len(self._open)

    def abort(self) -> None:
        """End all connections at once."""
        for connection in list(self._open):
            connection.abort()

    def opened(self, connection: PageConnection) -> bool:
        """Count a connection; ``False`` if there is no room for it."""
        if len(self._open) >= MAX_CONNECTIONS:
            spare = next(iter(self._idle), None) or self._slowest()
            if spare is None:
                return False
            self.closed(spare)
            spare.abort()
        self._open.add(connection)
        self._idle[connection] = None
        return True

    def closed(self, connection: PageConnection) -> None:
        """Count it no more."""
        self._open.discard(connection)
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)

    def _slowest(self) -> PageConnection | None:
        """Return a connection that keeps us waiting for a body; to send none is for free."""
        waiting = (
            connection
            for connection, request in self._busy.items()
            if not request.content.is_eof()
        )
        return next(waiting, None)

    async def _handle(self, request: Any) -> web.StreamResponse:
        connection = request.protocol
        fault = head_fault(request.version, request.headers)
        if fault is not None:  # aiohttp looks at the head before any middleware of ours
            return _closing(fault.status, f"{fault.remedy}.\n")
        self._idle.pop(connection, None)
        self._busy[connection] = request
        try:
            return await self._answer(request)
        finally:
            self._busy.pop(connection, None)
            if connection in self._open:
                self._idle[connection] = None


@asynccontextmanager
async def serving(
    app: web.Application, sockets: Sequence[socket.socket], on_headers: OnHeaders
) -> AsyncIterator[PageConnections]:
    """Serve an application while the block lasts.

    Args:
        app: answers the requests.
        sockets: bound, not listening.
        on_headers: puts the last headers on each answer.

    """
    runner = web.AppRunner(app, shutdown_timeout=STOP_S)
    await runner.setup()
    assert runner.server is not None  # it is there once the runner is set up
    connections = PageConnections(runner.server, on_headers)
    async with AsyncExitStack() as stack:  # ends from below: no new connection, then no old one
        stack.callback(connections.abort)
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(connections.shutdown, STOP_S)
        stack.callback(connections.pre_shutdown)
        loop = asyncio.get_running_loop()
        for sock in sockets:
            listening = await loop.create_server(connections, sock=sock, backlog=BACKLOG)
            stack.callback(listening.close)
        yield connections


def _closing(status: int, text: str) -> web.Response:
    """Return an answer that ends the connection."""
    response = web.Response(status=status, text=text)
    response.force_close()
    return response
