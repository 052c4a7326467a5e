"""HTTP connections: how many, how long they may be silent, how they flow.

aiohttp bounds none of that. A connection has five seconds to send its first whole request
header; bodies and WebSocket logins have deadlines of their own, and an idle keep-alive connection
ends after ``KEEP_ALIVE_S``. A connection is unauthenticated until a request on it shows a valid
token. When there are too many of these the oldest makes room: whoever floods the port pushes out
its own connections and cannot keep a caller with a token from getting in. Callers come in bursts
as well, so each has half a second to show its token first. Where there are too many callers, the
one that has been idle for longest makes room.

An answer that nobody reads does not stay for ever either: its reader has to go on reading, and
all that are unread have a common bound. WebSockets have stricter rules, in their sender.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import WebSocketReader
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict

from gateway.config import Limits
from gateway.errors import InternalError, InvalidRequest, Overloaded
from gateway.http.guard import Refusal
from gateway.http.messages import raw_refusal, refusal_response
from gateway.http.server import LINGER_S, Handler, HttpConnection, HttpServer
from gateway.http.websocket_frames import FrameHeads

GRACE_S = 0.5
"""So long one without a token is not pushed out by another, unless all are taken: a program
that makes a hundred calls at once has opened as many connections before one is read. A caller
makes room for others only when it has been idle for so long: sooner, its next call may be on its
way, and who is cut then cannot tell whether it was made."""
SEND_BUFFER_BYTES = 65_536
"""Of the socket. The default lets 4 MB of old prices wait in the kernel for a stalled reader."""
AT_ONCE = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
"""The option SO_LINGER: closing the socket throws away what is unsent, and resets."""
UNREAD_S = 60.0
"""Who takes nothing of an answer for so long is stuck. Windows tells of an answer when all of it
has been taken, so it is long enough for the longest answer through a slow tunnel."""
MAX_UNREAD_BYTES = 268_435_456
"""Of all answers that wait for their readers; the oldest goes where there is more."""


class Connection(HttpConnection):
    """One connection, as asyncio's transport sees it."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self._connections = connections
        self.on_flow: Callable[[], None] | None = None
        """Called when writing has become possible or impossible; see ``writing_paused``."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is gone."""
        self.on_flood: Callable[[], None] | None = None
        """Called instead of taking more bytes in than ``max_unclaimed``."""
        self.on_bad_frame: Callable[[], None] | None = None
        """Called instead of taking in a frame of a WebSocket that no client may send."""
        self.unclaimed = 0
        """Bytes that came; whoever gets messages out of them counts it down."""
        self.max_unclaimed = 0
        self._body: StreamReader | None = None
        """Of the request that is answered, or was last."""
        self._half_closed = False
        self._heads: FrameHeads | None = None
        self.misframed = False
        """A frame came that no client may send."""
        self._stuck: asyncio.TimerHandle | None = None

    @property
    def unread(self) -> int:
        """Bytes that wait here, for the kernel holds as many as it takes for the peer."""
        return 0 if self._wire is None else self._wire.get_write_buffer_size() + self.unwritten

    def admitted(self, wire: asyncio.Transport) -> bool:
        """Count the new connection; ``False`` if there is no room for it."""
        if not self._connections.has_room():
            return False
        self._connections.opened(self)
        sock = wire.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        # paused while anything waits, however little. TLS of asyncio would pause at 0 even where
        # nothing waits, and resume at the next write alone
        wire.set_write_buffer_limits(high=1 if self.is_tls else 0)
        return True

    def turn_away(self, wire: asyncio.Transport) -> None:
        """Say that there are too many connections, and close this one."""
        error = Overloaded(
            "There are too many connections", outcome="not_sent", retry_after_ms=1000
        )
        wire.write(raw_refusal(Refusal(503, error, {"Retry-After": "1"})))
        wire.close()
        if self.is_tls:
            # it is not counted, so that it may not stay until the peer has ended the encryption
            asyncio.get_running_loop().call_later(LINGER_S, wire.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._connections.closed(self)
        self._stop_watch()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()
        # they are methods of the WebSocket, which holds this connection: a circle that would keep
        # both until the garbage collector comes
        self.on_flow = self.on_lost = self.on_flood = self.on_bad_frame = None

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        self.unclaimed += len(data)
        # aiohttp joins the fragments of a message without a bound on their number
        if self.on_flood is not None and self.unclaimed > self.max_unclaimed:
            self.on_flood()
        elif self._heads is None or self._are_good(data):
            super().data_received(data)

    def set_parser(
        self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None
    ) -> None:
        """See :class:`aiohttp.web.RequestHandler`: from here on frames come."""
        self._heads = FrameHeads()
        # frames may have come in one read with the handshake: aiohttp keeps them in this tail
        if not self._are_good(self._message_tail):
            self._message_tail = b""
        super().set_parser(parser, data_received_cb)

    def _are_good(self, data: bytes) -> bool:
        """Look at frames; nothing more is taken in behind a bad one."""
        if self._heads is not None and not self.misframed:
            self.misframed = not self._heads.are_good(data)
            if self.misframed and self.on_bad_frame is not None:
                self.on_bad_frame()
        return not self.misframed

    def eof_received(self) -> bool | None:  # type: ignore[override]  # aiohttp never keeps it open
        """See :class:`asyncio.Protocol`: ``True`` keeps the connection open for our answers.

        A client may say that it has nothing more to ask, and listen (``nc -N`` does): what it
        asked for is done in any case, and if it is an order, it wants to know what became of it.
        """
        if self.is_tls:
            return None  # asyncio cannot keep that half open
        # requests that were sent ahead wait in _messages, each with its body; with none there it
        # is the one that is answered now, unless aiohttp waits for the next (_waiter)
        waits = self._messages
        body = waits[-1][1] if waits else self._body if self._waiter is None else None
        # half a request can never become whole, and a WebSocket has a farewell of its own
        if body is None or not body.is_eof() or self._upgraded:
            return None
        self._half_closed = True
        if not waits:
            self.close()  # once this one is answered
        return True

    def pause_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().pause_writing()
        if self.on_flow is not None:
            self.on_flow()  # a WebSocket's sender has stricter rules of its own
        else:
            self._watch()
            self._connections.stalled(self)

    def resume_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().resume_writing()
        self._stop_watch()
        self._connections.flows(self)
        if self.on_flow is not None:
            self.on_flow()

    def request_came(self, body: StreamReader) -> None:
        """Note a request that is answered now."""
        super().request_came(body)
        self._body = body
        if self._half_closed and not self._messages:
            self.close()  # once this one is answered, which is the last

    def _watch(self) -> None:
        """See whether the peer reads."""
        loop = asyncio.get_running_loop()
        self._stuck = loop.call_later(UNREAD_S, self._cut_or_watch, self.unread)

    def _cut_or_watch(self, unread_before: int) -> None:
        # any progress counts: a slow reader of a long answer is no stuck one
        if self.unread < unread_before:
            self._watch()
        else:
            self.abort()

    def _stop_watch(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def known(self) -> None:
        """Note that the connection has shown a valid token."""
        self._connections.known(self)

    def bad_request(self) -> web.Response:
        """Return the answer to what is no HTTP; it ends the connection."""
        return refusal_response(
            Refusal(400, InvalidRequest("This is no HTTP request", reason="http"))
        )

    def failure(self, trace_id: str) -> web.Response:
        """Return the answer where a handler failed; it ends the connection."""
        return refusal_response(Refusal(500, InternalError(trace_id=trace_id)))


class Connections(HttpServer):
    """Server that makes the connections and counts them."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        super().__init__(self._handle, _request, _without_server)
        self._handler = handler
        self._limits = limits
        self._open: set[Connection] = set()
        self._unauthenticated: dict[Connection, float] = {}
        """Since when each is here, the oldest first."""
        self._idle: dict[Connection, float] = {}
        """Since when each caller's has no request to answer, the longest first."""
        self._stalled: dict[Connection, None] = {}
        """Those with an answer that is not read yet, the oldest first."""

    def __call__(self) -> web.RequestHandler:
        return Connection(self)

    @property
    def unauthenticated(self) -> int:
        """Open connections that have not shown a valid token."""
        return len(self._unauthenticated)

    def __len__(self) -> int:
        return len(self._open)

    def has_room(self) -> bool:
        """Whether one more connection may be opened."""
        return len(self._open) < self._limits.max_connections or self._spare() is not None

    def opened(self, connection: Connection) -> None:
        """Count a connection; others go where there are too many."""
        now_s = asyncio.get_running_loop().time()
        while (spare := self._in_the_way(now_s)) is not None:
            self._push_out(spare)
        self._open.add(connection)
        self._unauthenticated[connection] = now_s

    def _in_the_way(self, now_s: float) -> Connection | None:
        if len(self._open) >= self._limits.max_connections:
            return self._spare()
        if len(self._unauthenticated) < self._limits.max_unauthenticated:
            return None
        # a young one is left alone: max_connections still bounds how many there are in all
        oldest, since_s = next(iter(self._unauthenticated.items()))
        return oldest if now_s - since_s >= GRACE_S else None

    def _spare(self) -> Connection | None:
        """Return the connection that can go, if any: one without a token before a caller's."""
        if self._unauthenticated:
            return next(iter(self._unauthenticated))
        idle_since_s = asyncio.get_running_loop().time() - GRACE_S
        for connection, since_s in self._idle.items():
            if since_s > idle_since_s:
                break  # the others are idle for less long still
            # idle for us, but its reader is not done with the last answer
            if connection not in self._stalled:
                return connection
        return None

    def _push_out(self, connection: Connection) -> None:
        # counted out at once: connection_lost comes in a later turn of the loop, and until then
        # it would be chosen again
        self.closed(connection)
        connection.abort()

    def known(self, connection: Connection) -> None:
        """Count the connection as a caller's."""
        self._unauthenticated.pop(connection, None)

    def stalled(self, connection: Connection) -> None:
        """Note that an answer waits for its reader; the oldest go where that is too much."""
        self._stalled[connection] = None
        unread = sum(connection.unread for connection in self._stalled)
        # the newest stays however long its answer is: it has not had any time to read
        while unread > MAX_UNREAD_BYTES and len(self._stalled) > 1:
            oldest = next(iter(self._stalled))
            unread -= oldest.unread
            self._push_out(oldest)

    def flows(self, connection: Connection) -> None:
        """Note that nothing waits for its reader any more."""
        self._stalled.pop(connection, None)

    def closed(self, connection: Connection) -> None:
        """Count the connection no more."""
        self._open.discard(connection)
        self._unauthenticated.pop(connection, None)
        self._idle.pop(connection, None)
        self._stalled.pop(connection, None)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = connection_of(request)
        self._idle.pop(connection, None)
        try:
            return await self._handler(request)
        finally:
            # it may have been closed or pushed out while it was answered
            if connection in self._open and connection not in self._unauthenticated:
                self._idle[connection] = asyncio.get_running_loop().time()


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop)


async def _without_server(headers: CIMultiDict[str]) -> None:
    """Tell nobody which server and version this is."""
    headers.popall("Server", None)


def cut(transport: asyncio.Transport) -> None:
    """Cut a connection. Of a peer that does not read, the kernel forgets what it still holds."""
    sock = transport.get_extra_info("socket")
    # only where something is unsent: a reset would throw away a close frame that is on its way
    if sock is not None and transport.get_write_buffer_size():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    transport.abort()


def connection_of(request: web.BaseRequest) -> Connection:
    """Return the connection that the request came in on."""
    protocol: Any = request.protocol
    assert isinstance(protocol, Connection)
    return protocol
