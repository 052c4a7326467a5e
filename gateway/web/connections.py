"""The HTTP connections: how many, how long they may be silent, how they flow.

aiohttp bounds none of that. A connection has five seconds to send its first whole request
header; bodies and WebSocket logins have deadlines of their own in their doors, and an idle
keep-alive connection ends after ``KEEP_ALIVE_S``. A connection is a stranger until a request on
it shows a valid token. When there are too many strangers the oldest makes room: whoever floods
the port pushes out its own connections and cannot keep a caller with a token from getting in.
Callers come in bursts as well, so a stranger has half a second to show its token first.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict

from gateway.config import Limits
from gateway.errors import InternalError, InvalidRequest, Overloaded
from gateway.web.guard import Refusal
from gateway.web.responses import raw_refusal, refusal_response

log = logging.getLogger(__name__)

FIRST_REQUEST_S = 5.0
KEEP_ALIVE_S = 30.0
GRACE_S = 0.5
"""So long a stranger is not pushed out by another, unless all connections are taken: a program
that makes a hundred calls at once has opened as many connections before one is read."""
LINGER_S = 1.0
"""A refused body is read on for so long, that its sender gets to see the refusal."""
SEND_BUFFER_BYTES = 65_536
"""Of the socket. The default lets 4 MB of old prices wait in the kernel for a stalled reader."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """One connection, as asyncio's transport sees it."""

    def __init__(self, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            connections,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None is how it is switched off
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
        )
        self._connections = connections
        self._wire: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.on_flow: Callable[[], None] | None = None
        """Called when writing has become possible or impossible; see ``writing_paused``."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is gone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        wire = cast(asyncio.Transport, transport)
        self._wire = wire
        if not self._connections.has_room():
            error = Overloaded("There are too many connections", retry_after_ms=1000)
            self.force_close()
            wire.write(raw_refusal(Refusal(503, error, {"Retry-After": "1"})))
            wire.close()
            return
        self._connections.opened(self)
        sock = wire.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(FIRST_REQUEST_S, self.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._connections.closed(self)
        self.request_came()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()
        self.on_flow = self.on_lost = None

    def pause_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().pause_writing()
        if self.on_flow is not None:
            self.on_flow()

    def resume_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().resume_writing()
        if self.on_flow is not None:
            self.on_flow()

    def request_came(self) -> None:
        """End the wait for the first request."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def known(self) -> None:
        """Note that the connection has shown a valid token."""
        self._connections.known(self)

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
        """Answer what is no HTTP, or what a door failed at.

        aiohttp would quote the request, and write a traceback into the log for each port scan.
        """
        if isinstance(exc, ConnectionError):
            raise exc  # the client hung up before its body had come; aiohttp takes it from here
        if status < 500:
            log.debug("a request that is no HTTP: %s", type(exc).__name__)
            error = InvalidRequest("This is no HTTP request", reason="http")
            return refusal_response(Refusal(400, error))
        trace_id = secrets.token_hex(4)
        log.error("a door failed (trace_id %s)", trace_id, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        return refusal_response(Refusal(500, InternalError(trace_id=trace_id)))


class Connections(web.Server):
    """Makes the connections and counts them."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        super().__init__(handler, request_factory=self._request)
        self._limits = limits
        self._open: set[Connection] = set()
        self._strangers: dict[Connection, float] = {}
        """Since when each is here, the oldest first."""

    def __call__(self) -> web.RequestHandler:
        return Connection(self, asyncio.get_running_loop())

    @property
    def strangers(self) -> int:
        """Open connections that have not shown a valid token."""
        return len(self._strangers)

    def __len__(self) -> int:
        return len(self._open)

    def has_room(self) -> bool:
        """Whether one more connection may be opened."""
        return len(self._open) < self._limits.max_connections or bool(self._strangers)

    def opened(self, connection: Connection) -> None:
        """Count a connection; the oldest strangers go where there are too many."""
        now_s = asyncio.get_running_loop().time()
        while self._is_crowded(now_s):
            oldest = next(iter(self._strangers))
            self.closed(oldest)
            oldest.abort()
        self._open.add(connection)
        self._strangers[connection] = now_s

    def _is_crowded(self, now_s: float) -> bool:
        if len(self._open) >= self._limits.max_connections:
            return True
        if len(self._strangers) < self._limits.max_unauthenticated:
            return False
        return now_s - next(iter(self._strangers.values())) >= GRACE_S

    def known(self, connection: Connection) -> None:
        """Count the connection as a caller's."""
        self._strangers.pop(connection, None)

    def closed(self, connection: Connection) -> None:
        """Count the connection no more."""
        self._open.discard(connection)
        self._strangers.pop(connection, None)

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        plain = StreamWriter(protocol, loop, on_headers_sent=_without_server)
        cast(Connection, protocol).request_came()
        return web.BaseRequest(message, payload, protocol, plain, task, loop)


async def _without_server(headers: CIMultiDict[str]) -> None:
    """Tell nobody which server and version this is."""
    headers.popall("Server", None)


def connection_of(request: web.BaseRequest) -> Connection:
    """Return the connection that the request came in on."""
    protocol: Any = request.protocol
    assert isinstance(protocol, Connection)
    return protocol
