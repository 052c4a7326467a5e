"""The HTTP connections: how many, and how long they may be silent.

aiohttp bounds neither. A connection has five seconds for its first whole request header; after
that an idle one ends after ``KEEP_ALIVE_S``. Bodies have a deadline of their own where they are
read. Where there are too many connections, the one that has been idle for longest makes room, or
else the one whose body has been on its way for longest.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from ea_bridge import host
from ea_bridge.loopback import BACKLOG
from gateway.http.request_head import head_fault

from .headers import OnHeaders

log = logging.getLogger(__name__)

FIRST_REQUEST_S = 5.0
KEEP_ALIVE_S = 30.0
LINGER_S = 1.0
"""A refused body is read on for so long, that its sender gets to see the refusal."""
MAX_CONNECTIONS = 1024
STOP_S = 2.0
UNREAD_S = 30.0
"""An answer that its reader does not take is cut after that."""


class Connection(web.RequestHandler):
    """One connection, as asyncio's transport sees it."""

    def __init__(self, connections: Connections, server: web.Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None is how it is switched off
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
        )
        self._connections = connections
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._wire = cast(asyncio.Transport, transport)
        if not self._connections.opened(self):
            self.force_close()
            self._wire.abort()
            return
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(FIRST_REQUEST_S, self.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._connections.closed(self)
        self.request_came()
        self._is_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().pause_writing()
        self._unread = asyncio.get_running_loop().call_later(UNREAD_S, self.abort)

    def resume_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().resume_writing()
        self._is_read()

    def request_came(self) -> None:
        """End the wait for the first request."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def abort(self) -> None:
        """End the connection at once; what was not sent yet is lost."""
        if self._wire is not None:
            self._wire.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, without quoting it as aiohttp would."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client hung up before its body had come; aiohttp takes it from here
        if status < 500:
            log.debug("a request that is no HTTP: %s", type(exc).__name__)
            return _closing(400, "This is no HTTP request.\n")
        ref = host.token_hex(4)
        log.error("the server failed (reference %s)", ref, exc_info=exc)
        return _closing(500, f"This failed. Reference: {ref}\n")


class Connections:
    """Listens, makes the connections and counts them.

    Args:
        app: answers the requests.
        seal: puts the last headers on each answer.

    """

    def __init__(self, app: web.Application, seal: OnHeaders) -> None:
        self._runner = web.AppRunner(app, shutdown_timeout=STOP_S)
        self._seal = seal
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        """Those between two requests; who has been so for longest comes first."""
        self._busy: dict[Connection, web.BaseRequest] = {}
        """Those with a request, and that; the longest comes first."""
        self._listening: list[asyncio.Server] = []

    def __len__(self) -> int:
        return len(self._open)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Begin to listen."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self._wrap(server)
        loop = asyncio.get_running_loop()
        for sock in sockets:
            listening = await loop.create_server(
                lambda: Connection(self, server), sock=sock, backlog=BACKLOG
            )
            self._listening.append(listening)

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        for listening in self._listening:
            listening.close()
        await self._runner.cleanup()
        for connection in list(self._open):
            connection.abort()

    def opened(self, connection: Connection) -> bool:
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

    def closed(self, connection: Connection) -> None:
        """Count it no more."""
        self._open.discard(connection)
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)

    def _slowest(self) -> Connection | None:
        """Return a connection that keeps us waiting for a body; to send none is for free."""
        return next((one for one, asked in self._busy.items() if not asked.content.is_eof()), None)

    def _wrap(self, server: web.Server) -> None:
        """Have each request of aiohttp's server pass by here, with a writer of ours."""
        answer, make = server.request_handler, server.request_factory
        loop = asyncio.get_running_loop()

        async def handle(request: Any) -> web.StreamResponse:
            connection = request.protocol
            fault = head_fault(request.version, request.headers)
            if fault is not None:  # aiohttp looks at it before any middleware of ours
                return _closing(fault.status, f"{fault.remedy}.\n")
            self._idle.pop(connection, None)
            self._busy[connection] = request
            try:
                return await answer(request)
            finally:
                self._busy.pop(connection, None)
                if connection in self._open:
                    self._idle[connection] = None

        def request_of(
            message: RawRequestMessage,
            payload: StreamReader,
            protocol: web.RequestHandler,
            writer: AbstractStreamWriter,
            task: asyncio.Task[None],
        ) -> web.BaseRequest:
            sealing = StreamWriter(protocol, loop, on_headers_sent=self._seal)
            cast(Connection, protocol).request_came()
            return make(message, payload, protocol, sealing, task)

        server.request_handler = handle
        server.request_factory = request_of


def _closing(status: int, text: str) -> web.Response:
    """Return an answer that ends the connection."""
    response = web.Response(status=status, text=text)
    response.force_close()
    return response
