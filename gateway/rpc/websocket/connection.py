"""One WebSocket connection: messages in, answers and events out, from login to close.

Requests are answered concurrently, yet without a task for each: the task that reads a request
also answers it, and only when the answer has to wait for something does another task go on
reading. While answers are being waited for, further requests get tasks of their own, so that a
burst reaches the terminal in one loop turn. With ``max_in_flight`` of them, or while the peer
does not read its answers, the connection is not read: TCP tells the peer to wait.

A connection ends through :meth:`WebSocketConnection.end` alone, whoever is the reason: it sends
the close frame, stops sending, and gives the peer a moment to answer before the socket is cut.

:class:`Sender` is the outgoing half. While the peer reads, frames go straight to the transport:
the first of a loop turn at once, the others of that turn in one write at its end, in order. When
the transport's buffer is full the peer is congested: everything waits in the outbox, where answers
go first and a newer price replaces an older one.

A peer that reads nothing for ``STALLED_S``, or lets more pile up than the outbox takes, is too
slow and loses its connection. It can neither grow our memory nor delay others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from gateway.auth.caller import Caller
from gateway.errors import ParseError, Unauthorized
from gateway.http.connections import Connection, cut
from gateway.http.rate_limit import ThrottleExceeded
from gateway.http.websocket_frames import PING, CloseCode, close_frame, code_to_echo, pong_frame
from gateway.rpc.authentication import (
    MAX_HELLO_BYTES,
    MAX_UNCLAIMED_HELLO_BYTES,
    NotHello,
    hello_of,
)
from gateway.rpc.in_flight import InFlight
from gateway.rpc.requests import RpcContext
from gateway.streams import StreamEvent
from gateway.streams.outbox import STALLED_S, Coalescer, Outbox, notification, text_frame

HIGH_WATER_BYTES = 16_384
"""In the transport's buffer; beyond it the peer is congested."""
WRITE_BYTES = 65_536
"""Joined into one write, within a loop turn or when a congested peer reads again."""


class Sender:
    """Writer of frames to one peer, in order, that never waits for it.

    Args:
        connection: the HTTP connection that the WebSocket took over.
        outbox: where frames wait while the peer is congested.
        on_slow: called when the peer is too slow to be kept; it should call :meth:`finish`.

    """

    def __init__(
        self,
        connection: Connection,
        transport: asyncio.Transport,
        outbox: Outbox,
        on_slow: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._outbox = outbox
        self._on_slow = on_slow
        self._loop = asyncio.get_running_loop()
        self._turn: list[bytes] | None = None
        self._turn_bytes = 0
        self._finished = False
        self._blocked: asyncio.TimerHandle | None = None
        self._writable: asyncio.Future[None] | None = None
        # the connection pauses at the first byte that waits; a few frames are no congestion yet
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        connection.on_flow = self._flow

    @property
    def congested(self) -> bool:
        """Whether something waits for the peer to read."""
        return self._connection.writing_paused or bool(self._outbox)

    def answer(self, frame: bytes) -> None:
        """Send the answer to a request."""
        if self._finished:
            return
        # past what waits in the outbox nothing goes: frames of one channel keep their order
        if not self.congested:
            self._put(frame)
        elif not self._outbox.put_answer(frame, self._loop.time()):
            self._on_slow()

    def events(
        self, events: Sequence[StreamEvent], joined: bytes, coalescer: Coalescer | None = None
    ) -> None:
        """Send events.

        Args:
            joined: their frames in a row.
            coalescer: what makes fewer frames of them, if the peer takes that.

        """
        if self._finished:
            return
        if not self.congested:
            self._put(joined if coalescer is None else coalescer.frames(events, joined))
        elif not self._outbox.put_events(events, joined, self._loop.time()):
            self._on_slow()

    def control(self, frame: bytes) -> bool:
        """Send a ping or pong, unless the peer is congested; return whether it was sent."""
        if self._finished or self.congested:
            return False
        self._put(frame)
        return True

    def finish(self, frame: bytes) -> None:
        """Send the close frame after what was written already; drop what still waits."""
        if self._finished:
            return
        self._end_turn()  # what this loop turn has collected stands before the close frame
        self._finished = True
        if not self._transport.is_closing():
            self._transport.write(frame)
        self.release()

    def release(self) -> None:
        """Stop the timers and let go of whoever waits: nothing will be sent any more."""
        self._finished = True
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None
        self._wake()

    async def writable(self) -> None:
        """Wait until the peer is not congested, or the connection is over."""
        while self.congested and not self._finished:
            self._writable = self._loop.create_future()
            await self._writable

    def _put(self, frame: bytes) -> None:
        if self._turn is None:
            # at once: mostly it is the only frame of the turn, and a trader waits for it
            self._turn = []
            self._transport.write(frame)
            self._loop.call_soon(self._end_turn)
            return
        # many small writes cost a system call each, and a segment each since Nagle is off
        self._turn.append(frame)
        self._turn_bytes += len(frame)
        if self._turn_bytes > WRITE_BYTES:
            self._write_turn(self._turn)
            self._turn = []

    def _end_turn(self) -> None:
        """Write what came after the turn's first frame; go on collecting while there is more."""
        turn, self._turn = self._turn, None
        if turn:
            self._write_turn(turn)
            # only after a turn with nothing in it does a frame go out at once again
            if not self._finished:
                self._turn = []
                self._loop.call_soon(self._end_turn)

    def _write_turn(self, turn: list[bytes]) -> None:
        self._turn_bytes = 0
        if not self._transport.is_closing():
            self._transport.write(b"".join(turn))

    def _flow(self) -> None:
        if self._finished:
            return
        if self._connection.writing_paused:
            # the clock runs while nothing at all is taken; each time the buffer drains it is reset
            self._blocked = self._loop.call_later(STALLED_S, self._on_slow)
            return
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None
        self._catch_up()

    def _catch_up(self) -> None:
        self._end_turn()  # older than all that waits in the outbox
        now = self._loop.time()
        # in pieces: as soon as the buffer is full again, the rest may still be merged or replaced
        while self._outbox and not self._connection.writing_paused:
            self._transport.write(self._outbox.take(WRITE_BYTES, now))
        if not self.congested:
            self._wake()

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None


log = logging.getLogger(__name__)

HELLO_S = 5.0
"""The first message must have logged in by then."""
PING_EVERY_S = 15.0
PONG_WITHIN_S = 7.5
CLOSE_S = 1.0
"""From our close frame to the end of the socket, where the peer does not close first."""
CUT_S = 0.25
"""The same for a token that was revoked."""
MAX_UNPARSABLE = 10
MAX_PINGS = 200
"""And pongs, of the peer, between two pings of ours."""
MAX_SPREAD = 8
"""So many times their own bytes messages may take on the wire: a fragment of one byte takes
seven. Without a bound, a message of empty fragments could go on for ever."""
QUEUED_BYTES = 1_048_576
"""More of whole messages than aiohttp lets wait for us before it stops reading."""
CONTROL_HEAD_BYTES = 6


class ConnectionAdmission(Protocol):
    """Endpoint as its connections see it."""

    async def admit(self, token: str) -> Caller:
        """Return the caller that holds a token.

        Raises:
            Unauthorized: it opens nothing.
            ThrottleExceeded: so many fail that this one gets no answer.

        """

    def enter(self, connection: WebSocketConnection) -> bool:
        """Count a connection that has logged in; return whether its token may have one more."""


class WebSocketConnection:
    """Client on ``/ws``; also the listener that the streams deliver to.

    Args:
        caller: who it is, or ``None`` when the first message has to tell.
        by_header: it logged in with an ``Authorization`` header, so it also gets the events of
            the subscriptions that its token made over ``/rpc``.
        tasks: where running calls are kept; it outlives the connection.
        coalescer: shared by all connections.

    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        connection: Connection,
        transport: asyncio.Transport,
        *,
        context: RpcContext,
        admission: ConnectionAdmission,
        outbox: Outbox,
        caller: Caller | None,
        by_header: bool,
        tasks: set[asyncio.Task[None]],
        coalescer: Coalescer,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.tid = "" if caller is None else caller.tid
        self.by_header = by_header
        self.coalesces = False
        self.outbox = outbox
        self.last_sent = self._loop.time()
        self.heartbeat_s = PING_EVERY_S
        self.on_gone: list[Callable[[], None]] = []
        self._caller = caller
        self._socket = socket
        self._connection = connection
        self._transport = transport
        self._context = context
        self._admission = admission
        self._coalescer = coalescer
        self._sender = Sender(connection, transport, outbox, self._too_slow)
        self._max_in_flight = context.daemon.limits.max_in_flight
        # two sets: _tasks may be cancelled with the connection, _all_tasks has the trades that
        # outlive it and that the endpoint waits for when the gateway stops
        self._in_flight = InFlight()
        self._all_tasks = tasks
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._reader: asyncio.Task[None] | None = None
        self._answering = False
        self._hand_over_due = False
        self._room: asyncio.Future[None] | None = None
        self._unparsable = 0
        self._pings = 0
        self._heard = True
        self._holding = False
        self._attached = False
        self._ended = False
        self.close_code: int | None = None
        """Of our close frame; ``None`` while it is open, and of one that was just lost."""
        self._cut: asyncio.TimerHandle | None = None
        self._clock: asyncio.TimerHandle | None = None
        connection.on_lost = self._lost
        connection.on_flood = self._flooded
        connection.on_bad_frame = self._misframed
        connection.unclaimed = 0  # it may have carried requests before
        connection.max_unclaimed = MAX_UNCLAIMED_HELLO_BYTES

    @property
    def caller(self) -> Caller | None:
        """Who it is; ``None`` until it has logged in."""
        return self._caller

    @property
    def is_gone(self) -> bool:
        """Whether it is over; calls that it began may go on."""
        return self._ended

    @property
    def calls(self) -> int:
        """Number of its calls that wait for something."""
        return len(self._tasks)

    def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
        """Send events: see :class:`gateway.streams.hub.Listener`."""
        self.last_sent = self._loop.time()
        self._sender.events(events, joined, self._coalescer if self.coalesces else None)

    def notify(self, text: bytes) -> None:
        """Send a notification of the gateway itself."""
        self.last_sent = self._loop.time()
        self._sender.answer(text_frame(text))

    def end(self, code: int, reason: str) -> None:
        """Close the connection; may be called at any time, by anybody, more than once."""
        if self._ended:
            return
        self._ended = True
        self.close_code = code
        self._stop_clock()
        # the streams first: nothing may be delivered behind the close frame
        self._detach()
        self._sender.finish(close_frame(code, reason))
        # a peer that does not answer the close frame would keep its socket for ever
        self._cut_in(CUT_S if code == CloseCode.TOKEN_REVOKED else CLOSE_S)
        self._wake()
        log.info("closed /ws of token %s: %d %s", self.tid or "-", code, reason)

    async def run(self) -> None:
        """Serve the connection until it is over."""
        try:
            if self._caller is None:
                self._clock = self._loop.call_later(
                    HELLO_S, self.end, CloseCode.AUTH_TIMEOUT, "auth_timeout"
                )
            elif not self._ended:
                self._enter(is_first=True)
            if self._connection.misframed:
                # a bad frame came right behind the handshake, before on_bad_frame was set
                self._misframed()
            self._go_on_reading()
            await self._over
        finally:
            # also where the server cancels us: the socket must not outlive its handler
            self._leave()

    def _go_on_reading(self) -> None:
        self._reader = self._loop.create_task(self._read())
        self._all_tasks.add(self._reader)
        self._reader.add_done_callback(self._done)

    async def _read(self) -> None:
        """Read messages until the connection is over, or another task has taken that on."""
        # when _hand_over has made another task the reader, this one only finishes its answer
        this_task = asyncio.current_task()
        receive = self._socket.receive
        while self._reader is this_task:
            # once it has ended, frames are read for nothing but the peer's close frame
            if not self._ended and (
                len(self._tasks) >= self._max_in_flight or self._sender.congested
            ):
                await self._have_room()
            message = await receive()
            kind = message.type
            if kind is WSMsgType.TEXT:
                # a whole message has come of the bytes that were counted: none is left over
                self._connection.unclaimed = 0
                self._heard = True
                if not self._ended:
                    await self._take(message.data)
            elif kind is WSMsgType.PING or kind is WSMsgType.PONG:
                self._control(kind, message.data)
            elif kind is WSMsgType.BINARY:
                # no return: aiohttp goes on until the peer's close frame comes, or the cut
                self.end(CloseCode.BINARY, "text messages only")
            else:  # the peer closed, broke the protocol or is gone
                self.end(code_to_echo(message.data), "")
                return

    async def _take(self, text: bytes) -> None:
        caller = self._caller
        if caller is None:
            # in the reading task itself: no second message is looked at before the login ended
            await self._log_in(text)
            return
        # other answers are waited for already: this one must not hold the reading up behind them
        if self._tasks:
            self._start(self._answer(text, caller))
            return
        self._answering = True
        if not self._hand_over_due:
            # most answers are there within this loop turn, and cost no task at all
            self._hand_over_due = True
            self._loop.call_soon(self._hand_over)
        reader = self._reader
        try:
            await self._answer(text, caller)
        finally:
            # else another task reads by now, and its answer is not ours to end
            if self._reader is reader:
                self._answering = False

    def _is_allowed(self, caller: Caller) -> bool:
        # before each message: rights also end by time, and then nobody tells us
        try:
            self._context.gate.recheck(caller)
        except Unauthorized as error:
            self.end(CloseCode.TOKEN_REVOKED, str(error.data["reason"]))
            return False
        return True

    def _hand_over(self) -> None:
        """At the end of the loop turn: is the reading task held up by an answer?"""
        self._hand_over_due = False
        # the task that waits keeps its answer and counts as a call; a fresh one reads on
        if self._answering and self._reader is not None:
            self._answering = False
            self._tasks.add(self._reader)
            self._go_on_reading()

    async def _log_in(self, text: bytes) -> None:
        if len(text) > MAX_HELLO_BYTES:
            self.end(CloseCode.PROTOCOL_ERROR, "hello is too large")
            return
        try:
            hello = hello_of(text)
        except NotHello as exc:
            self._sender.answer(text_frame(exc.answer))
            self.end(CloseCode.PROTOCOL_ERROR, "say hello first")
            return
        try:
            caller = await self._admission.admit(hello.token)
        except Unauthorized as exc:
            self._sender.answer(text_frame(hello.refusal(exc)))
            self.end(CloseCode.AUTH_FAILED, "auth_failed")
            return
        except ThrottleExceeded:
            # not even a close frame: so many fail at once that answers would be the attack's work
            self._transport.abort()
            return
        # the gate took its time: the login has timed out meanwhile, or the peer is gone
        if self._ended:
            return
        self._stop_clock()
        self._caller = caller
        self.tid = caller.tid
        self._enter(is_first=False)
        if not self._ended:
            await self._answer(hello.without_token(), caller)
        if not self._ended:
            self._welcome(caller)

    def _welcome(self, caller: Caller) -> None:
        """Tell whoever has signed in where it is; see :class:`gateway.schemas.Welcome`."""
        if (tell := self._context.welcome) is not None:
            self.notify(notification("welcome", tell(self._context.call(caller, "ws", self))))

    def _enter(self, *, is_first: bool) -> None:
        """Become a caller's connection; the welcome is first, or follows the answer to hello."""
        self._connection.known()
        # whoever has logged in may send a message of full length, in small fragments
        longest = self._context.daemon.limits.max_message_bytes
        self._connection.max_unclaimed = MAX_SPREAD * (longest + QUEUED_BYTES)
        if self._caller is None or not self._is_allowed(self._caller):
            # revoked since it was let in: end_token() runs over the counted connections alone,
            # and this one is counted by the next line. No await may stand between the two
            return
        if not self._admission.enter(self):
            self.end(CloseCode.CONNECTION_LIMIT, "connection_limit")
            return
        # the welcome before the streams: it is the first message, and no event overtakes it
        if is_first:
            self._welcome(self._caller)
        self._context.streams.attach(self)
        self._attached = True
        self._clock = self._loop.call_later(PING_EVERY_S, self._send_ping)

    async def _answer(self, text: bytes, caller: Caller) -> None:
        # nothing is waited for between this look and the method's own
        if not self._is_allowed(caller):
            return
        call = self._context.call(caller, "ws", self, may_read=True)
        body, error = await self._context.front.answer(text, call, self._in_flight)
        if body is not None:
            self.last_sent = self._loop.time()
            self._sender.answer(text_frame(body))
        if self._ended:
            return
        # no await since the answer was queued: an event must not overtake it
        for act in call.after_answer:
            act()
        if error is not None and error["code"] == ParseError.code:
            self._count_unparsable(text)

    def _count_unparsable(self, text: bytes) -> None:
        try:
            # decode_text is off, since orjson reads bytes: so UTF-8 is looked at here
            text.decode()
        except UnicodeDecodeError:
            self.end(CloseCode.BAD_TEXT, "text messages are UTF-8")
            return
        self._unparsable += 1
        if self._unparsable > MAX_UNPARSABLE:
            self.end(CloseCode.PROTOCOL_ERROR, "too many messages that are no JSON")

    def _start(self, answering: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(answering)
        self._tasks.add(task)
        self._all_tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._all_tasks.discard(task)
        self._wake()
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a task of /ws failed", exc_info=exc)
            self.end(CloseCode.INTERNAL_ERROR, "internal_error")
        # only the task that reads now ends the connection; earlier readers have handed it over
        if task is self._reader and not self._over.done():
            self._over.set_result(None)

    async def _have_room(self) -> None:
        """Wait until a request may be read again."""
        self._holding = True
        while not self._ended and len(self._tasks) >= self._max_in_flight:
            self._room = self._loop.create_future()
            await self._room
        await self._sender.writable()
        self._holding = False
        # pongs that came meanwhile were not read: the peer gets a whole interval anew
        self._heard = True

    def _wake(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _control(self, kind: WSMsgType, payload: bytes) -> None:
        # they may come between fragments, so they claim no bytes but their own. Without this a
        # listener that only pings for days would add up to a flood
        self._connection.unclaimed -= CONTROL_HEAD_BYTES + len(payload)
        self._heard = True
        self._pings += 1
        if self._pings > MAX_PINGS:
            self.end(CloseCode.RATE_LIMITED, "rate_limited")
        elif kind is WSMsgType.PING:
            self._sender.control(pong_frame(payload))

    def _flooded(self) -> None:
        """End: bytes come and come, and are no message."""
        if self._caller is None:
            self.end(CloseCode.PROTOCOL_ERROR, "hello is too large")
        else:
            self.end(CloseCode.TOO_BIG, "too many fragments")
        # what goes on coming stays in the kernel: the sender waits, our memory does not grow
        self._transport.pause_reading()

    def _misframed(self) -> None:
        """End: a frame is not masked, or spells its length at length."""
        self.end(CloseCode.BAD_FRAME, "frames are masked and spell their length in short")
        self._transport.pause_reading()

    def _send_ping(self) -> None:
        self._pings = 0
        # a congested peer gets no ping and owes no pong: whether it reads is the sender's to judge
        self._heard = not self._sender.control(PING)
        self._clock = self._loop.call_later(PONG_WITHIN_S, self._check_pong)

    def _check_pong(self) -> None:
        # while we hold the reading up, its pongs lie unread: that is not the peer's silence
        if not self._heard and not self._holding:
            self.end(CloseCode.HEARTBEAT_TIMEOUT, "heartbeat_timeout")
            return
        self._clock = self._loop.call_later(PING_EVERY_S - PONG_WITHIN_S, self._send_ping)

    def _too_slow(self) -> None:
        self.end(CloseCode.SLOW_CONSUMER, "slow_consumer")

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _cut_in(self, seconds: float) -> None:
        if self._cut is None:
            self._cut = self._loop.call_later(seconds, cut, self._transport)

    def _detach(self) -> None:
        if self._attached:
            self._attached = False
            self._context.streams.detach(self)
            for act in self.on_gone:
                act()

    def _leave(self) -> None:
        """Close the socket; trades that were begun go on to their end."""
        self.end(CloseCode.INTERNAL_ERROR, "internal_error")
        # the reader may be answering a trade itself: then it is protected like any other task
        if self._reader is not None:
            self._tasks.add(self._reader)
        self._in_flight.cancel_reads(self._tasks)
        self._transport.close()

    def _lost(self) -> None:
        """The socket is gone."""
        self._ended = True
        self._stop_clock()
        self._detach()
        self._sender.release()
        self._wake()
        if self._cut is not None:
            self._cut.cancel()
