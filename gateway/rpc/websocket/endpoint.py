"""Endpoint of ``/ws``: the opening handshake, and all connections by token.

The handshake (RFC 6455, section 4.2.1) is looked at before aiohttp does: aiohttp fails at header
bytes beyond ASCII, and quotes them.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from gateway.auth.caller import Caller
from gateway.errors import InvalidRequest, Unauthorized
from gateway.http.connections import connection_of
from gateway.http.guard import Refusal, unauthorized
from gateway.http.websocket_frames import CloseCode
from gateway.rpc.authentication import SUBPROTOCOL, Authenticator, Offer, offer_of
from gateway.rpc.requests import RpcContext
from gateway.rpc.websocket.connection import CLOSE_S, WebSocketConnection
from gateway.schemas import ServerShutdown
from gateway.streams.outbox import Coalescer, Outbox, notification

VERSION = "13"
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==", re.ASCII)
"""16 bytes in base64."""


class Queues(NamedTuple):
    """Counts of what waits on the connections, and of what they were spared."""

    calls: int
    """Calls that wait for something."""
    messages: int
    """Answers and events that wait for their readers."""
    longest: int
    """Those of the connection that has most."""
    size: int
    """Bytes of what cannot be merged."""
    merged: int
    """Events that were ever merged into newer ones, because their reader was slow."""


@dataclass(eq=False)
class _Handshake:
    """Handshake of a caller that was let in, and whose connection is not counted yet."""

    caller: Caller | None
    ended_by: str | None = None
    """Why the caller has ended meanwhile; ``None`` where it has not."""


REASONS = (*(code.name.lower() for code in CloseCode), "lost", "other")
"""Words for the end of a connection; ``lost``: without a close frame."""


def reason_of(close_code: int | None) -> str:
    """Return the word for the end of a connection: one of few, whatever code a peer has sent."""
    if close_code is None:
        return "lost"
    return CloseCode(close_code).name.lower() if close_code in set(CloseCode) else "other"


class WebSocketEndpoint:
    """Endpoint that lets WebSocket clients in, and out again when their token is revoked."""

    def __init__(self, context: RpcContext, authenticator: Authenticator) -> None:
        self._context = context
        self._limits = context.daemon.limits
        # in the order in which they came: that of a set is another one in each run, and with it
        # the order in which they are closed
        self._connections: dict[WebSocketConnection, None] = {}
        self._by_token: dict[str, dict[WebSocketConnection, None]] = {}
        self._handshakes: set[_Handshake] = set()
        self._serving: set[asyncio.Task[object]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._coalescer = Coalescer()
        self._authenticator = authenticator
        # each from 0 on: of a count that begins with 1 nobody sees that it grew
        self.closed = Counter(dict.fromkeys(REASONS, 0))
        """Connections that are over, by the reason that we gave; see :func:`reason_of`."""
        self._merged = 0

    @property
    def queues(self) -> Queues:
        """What waits on all connections now."""
        outboxes = [connection.outbox for connection in self._connections]
        return Queues(
            calls=sum(connection.calls for connection in self._connections),
            messages=sum(outbox.messages for outbox in outboxes),
            longest=max((outbox.messages for outbox in outboxes), default=0),
            size=sum(outbox.size for outbox in outboxes),
            merged=self._merged + sum(outbox.merged for outbox in outboxes),
        )

    def __len__(self) -> int:
        return len(self._connections)

    async def answer(
        self,
        request: web.BaseRequest,
        token: str | None,
        authenticator: Authenticator | None = None,
    ) -> web.WebSocketResponse:
        """Serve a connection from the handshake to its end.

        Args:
            authenticator: of the door that it came in by, if not that of this machine.
            token: of the header ``Authorization``; without one a program's token comes as a
                subprotocol or in the first message, and a page shows a ticket.

        Raises:
            Refusal: this is no WebSocket handshake, or its subprotocols are not ours.
            Unauthorized: the token or ticket in the subprotocols is not let in.

        """
        caller, admission = None, _Admission(self, authenticator or self._authenticator)
        if token is not None:
            agent = request.headers.get("User-Agent", "")
            caller = await admission.authenticator.admit(token, "ws", agent)
        check_handshake(request)
        offer = offer_of(request.headers.getall("Sec-WebSocket-Protocol", []))
        if caller is None:
            caller = await self._log_in(admission, offer, request.headers.get("Origin"))
        elif offer != Offer():
            raise unauthorized(Unauthorized("Send one token or ticket, once", reason="malformed"))
        socket = web.WebSocketResponse(
            timeout=CLOSE_S,
            # closing and pings are ours: they are counted, and have their times
            autoclose=False,
            autoping=False,
            # an event is one frame for all listeners, encoded once: none is packed for itself
            compress=False,
            max_msg_size=self._limits.max_message_bytes + 1,  # the first that is too many
            protocols=(SUBPROTOCOL,),
            decode_text=False,
        )
        check_ready(socket, request)
        handshake = _Handshake(caller)
        self._handshakes.add(handshake)
        try:
            await socket.prepare(request)
        finally:
            self._handshakes.discard(handshake)
        await self._serve(request, socket, handshake, admission, by_header=token is not None)
        return socket

    def enter(self, connection: WebSocketConnection) -> bool:
        """Count a connection that has logged in; return whether its token may have one more."""
        # counted without an await, so that two logins at once cannot both take the last place
        ours = self._by_token.setdefault(connection.tid, {})
        if len(ours) >= self._limits.max_websockets:
            return False
        ours[connection] = None
        return True

    def count(self, tids: Collection[str]) -> int:
        """Return how many connections tokens have."""
        return sum(len(self._by_token.get(tid, ())) for tid in tids)

    def end_token(self, tid: str, reason: str) -> None:
        """Close all connections of a token that is no longer valid, and say why."""
        # a copy: a connection that ends leaves it
        for connection in tuple(self._by_token.get(tid, ())):
            connection.end(CloseCode.TOKEN_REVOKED, reason)

    def end_caller(self, caller: Caller, reason: str) -> None:
        """Close the connections of a caller: of this very object, not of all of its token."""
        for connection in tuple(self._by_token.get(caller.tid, ())):
            if connection.caller is caller:
                connection.end(CloseCode.TOKEN_REVOKED, reason)
        # its ticket was taken, so that withdrawing it stops nothing
        for handshake in self._handshakes:
            if handshake.caller is caller:
                handshake.ended_by = reason

    def shut(self, reason: str, restart_in_ms: int | None) -> None:
        """Tell all clients that the gateway goes down, and close their connections."""
        params: ServerShutdown = {"reason": reason, "restart_in_ms": restart_in_ms}
        farewell = notification("server_shutdown", params)
        for connection in tuple(self._connections):
            connection.notify(farewell)
            connection.end(CloseCode.GOING_AWAY, "going_away")

    async def finish(self, within_s: float) -> None:
        """Wait for the connections to close, then for the calls that outlive them.

        Each may take ``within_s``; a call that takes longer is cancelled.
        """
        if self._serving:
            await asyncio.wait(self._serving, timeout=within_s)
        # trades that were begun outlive their connection; only one that hangs is cancelled, and
        # the journal of the next run finds out what became of it
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=within_s)

    async def _log_in(
        self, admission: _Admission, offer: Offer, origin: str | None
    ) -> Caller | None:
        """Return who logs in by a subprotocol; ``None`` when the first message is to tell."""
        if offer.ticket is not None:
            return await admission.authenticator.redeem(offer.ticket, origin)
        if origin is not None:
            # a page is let in before the 101 or not at all, and shows its token to /rpc alone
            raise unauthorized(
                Unauthorized(
                    "A web page opens this path with a ticket: call get_ws_ticket",
                    reason="missing",
                )
            )
        return None if offer.token is None else await admission.admit(offer.token)

    async def _serve(
        self,
        request: web.BaseRequest,
        socket: web.WebSocketResponse,
        handshake: _Handshake,
        admission: _Admission,
        *,
        by_header: bool,
    ) -> None:
        transport = request.transport
        if transport is None:  # the peer has gone during the handshake
            return
        connection = WebSocketConnection(
            socket,
            connection_of(request),
            transport,
            context=self._context,
            admission=admission,
            outbox=self._new_outbox(),
            caller=handshake.caller,
            by_header=by_header,
            tasks=self._tasks,
            coalescer=self._coalescer,
        )
        if handshake.ended_by is not None:
            connection.end(CloseCode.TOKEN_REVOKED, handshake.ended_by)
        self._connections[connection] = None
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            await connection.run()
        finally:
            self._connections.pop(connection, None)
            self._merged += connection.outbox.merged
            self.closed[reason_of(connection.close_code)] += 1
            self._leave(connection)

    def _new_outbox(self) -> Outbox:
        limits = self._limits
        # an answer of any legal size may wait, beside the events
        return Outbox(limits.queue_bytes + limits.max_response_bytes, limits.queue_messages)

    def _leave(self, connection: WebSocketConnection) -> None:
        ours = self._by_token.get(connection.tid)
        if ours is not None:
            ours.pop(connection, None)
            if not ours:
                del self._by_token[connection.tid]


class _Admission:
    """Endpoint as the connections of one door see it."""

    def __init__(self, endpoint: WebSocketEndpoint, authenticator: Authenticator) -> None:
        self.authenticator = authenticator
        self.enter = endpoint.enter

    async def admit(self, token: str) -> Caller:
        """Return the caller whose token comes as a subprotocol or with the first message."""
        return await self.authenticator.admit(token, "ws")


def check_handshake(request: web.BaseRequest) -> None:
    """Return if the request opens a WebSocket.

    Raises:
        Refusal: it asks for no WebSocket (426), or badly (400).

    """
    headers = request.headers
    if headers.get("Upgrade", "").strip().lower() != "websocket":
        error = InvalidRequest("Open this path as a WebSocket", reason="upgrade")
        raise Refusal(426, error, {"Upgrade": "websocket"})
    options = ",".join(headers.getall("Connection", ())).lower().split(",")
    keys = headers.getall("Sec-WebSocket-Key", ())
    is_good = (
        "upgrade" in {option.strip() for option in options}
        and headers.getall("Sec-WebSocket-Version", ()) == [VERSION]
        and len(keys) == 1
        and _KEY.fullmatch(keys[0].strip())
    )
    if not is_good:
        raise _refused()


def check_ready(socket: web.WebSocketResponse, request: web.BaseRequest) -> None:
    """Return if aiohttp takes the handshake, too.

    Raises:
        Refusal: it does not (400).

    """
    try:
        is_ready = bool(socket.can_prepare(request))
    except ValueError:  # header bytes that are no text
        is_ready = False
    if not is_ready:
        raise _refused()


def _refused() -> Refusal:
    error = InvalidRequest("This is no WebSocket handshake", reason="upgrade")
    return Refusal(400, error, {"Sec-WebSocket-Version": VERSION})
