"""Session with a peer of any kind: requests with deadlines, heartbeats, an end."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from ea_bridge.commands import Command
from ea_bridge.errors import CommandTimeout, NotSent, TerminalBusy, Unsupported
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.connection import CLOSED, Connection
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import Ack, Busy, Bye, Cmd, Hb, Hello, Message, Res

from .calls import TERMINAL_BOUNDS, Bounds, Calls, LateResult, PendingCall
from .liveness import Liveness, SessionState, TimerHandle, Timers

DEFAULT_TIMEOUT_S = 10.0
WINDOW = 512
"""Most counted events without an ``ack``, as told in ``welcome``."""

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
logger = logging.getLogger(__name__)


class Wire(Protocol):
    """Link below a session."""

    def write(self, data: bytes) -> None:
        """Hand bytes to the kernel, now."""

    def write_soon(self, data: bytes) -> None:
        """Hand bytes to the kernel by the end of this turn of the loop, behind all before them."""

    def unsent(self) -> int:
        """Return how many bytes the kernel has not taken yet."""

    def flush(self) -> None:
        """Hand on now what was read and waits for its turn."""

    def close(self) -> None:
        """Send what is unsent, then close; cut it off where that takes too long."""


class PeerSession:
    """Session of one live peer; a subclass adds the events of its kind and their listeners.

    Args:
        terminal: its id, as the token says.
        generation: of the token, when the peer was admitted; the gate compares it.
        id: of this session, told to the peer.
        hello: what the peer said of itself.
        connection: READY.
        command_ids: unique for good, since peers remember the ids they have executed.
        bounds: how much may be on the way.

    """

    def __init__(
        self,
        *,
        terminal: str,
        generation: int,
        id: str,
        hello: Hello,
        connection: Connection,
        wire: Wire,
        timers: Timers,
        command_ids: Iterator[int],
        bounds: Bounds = TERMINAL_BOUNDS,
    ) -> None:
        self.terminal = terminal
        self.generation = generation
        self.id = id
        self.hello = hello
        self.caps = parse_caps(hello.caps)
        self.connection = connection
        self.broker: bool | None = None
        """The peer is connected to its broker; ``None`` before the first heartbeat."""
        self.end_reason = ""
        """Reason of the session's end; empty while it lives."""
        self.lease_ms = 0
        """Time for which each of our heartbeats renews the EA's lease; see ``LeaseTerms``."""
        self._wire = wire
        self._timers = timers
        self._max_unsent = bounds.unsent
        self._acknowledged = connection.events.last
        self._alarm: TimerHandle | None = None
        """Set to the earliest deadline of a call, or earlier."""
        self._alarm_s = math.inf
        self._calls = Calls(command_ids, self._notify_late_result, self._take_result, bounds)
        self._liveness = Liveness(timers, self._send_heartbeat, self._notify_change, self._die)

    @property
    def state(self) -> SessionState:
        """Ready, stale, or (for good) disconnected."""
        return self._liveness.state

    @property
    def round_trip_s(self) -> float | None:
        """Time of the last heartbeat, there and back; ``None`` before the first."""
        return self._liveness.round_trip_s

    @property
    def silence_s(self) -> float:
        """Time since the terminal said something."""
        return self._liveness.silence_s

    @property
    def last_q(self) -> int:
        """The last counted event that was taken."""
        return self.connection.events.last

    @property
    def in_flight(self) -> int:
        """Number of commands that wait for their answer."""
        return len(self._calls)

    @property
    def trades_in_flight(self) -> int:
        """Number of trades that were written to the terminal and are not answered."""
        return self._calls.trades

    @property
    def strays(self) -> int:
        """Answers to nothing that was waited for."""
        return self._calls.strays

    # --- asking --------------------------------------------------------------------------

    def new_command_id(self) -> int:
        """Return an id that no command ever had, for one :meth:`request`."""
        return self._calls.new_id()

    async def request(
        self,
        command: Command[P, R],
        params: P,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        ttl_ms: int | None = None,
        before_write: Callable[[], None] | None = None,
        command_id: int | None = None,
        on_written: Callable[[], None] | None = None,
        on_ack: Callable[[], None] | None = None,
    ) -> R:
        """Ask the terminal and wait for its answer.

        Args:
            timeout_s: how long to wait for the answer.
            ttl_ms: how long after its arrival the EA may still begin with it, 0 for ever; as
                long as we wait if absent.
            before_write: called right before the bytes are written, with no ``await`` between;
                what it raises stops the command, which was then not sent.
            command_id: from :meth:`new_command_id`, for one who wrote it down before.
            on_written: called right after the bytes were written.
            on_ack: called when the terminal has taken the command.

        Raises:
            NotSent, TerminalBusy, Unsupported: it was not sent. ``NotSent`` also where the link
                was lost before a question was answered.
            CommandTimeout, ResultTooLarge: questions only.
            CommandFailed: the terminal answered no.
            OutcomeUnknown: commands that trade only; never send it again by yourself.

        """
        if command.needs and command.needs not in self.caps:
            raise Unsupported(command.op, command.needs)
        self._check_writable()
        call = self._calls.open(command, params, command_id=command_id, on_ack=on_ack)
        try:
            ttl = round(timeout_s * 1000) if ttl_ms is None else ttl_ms
            data = self.connection.send(
                Cmd(id=call.id, op=command.op, ttl=ttl, sent=self._stamp(), params=params),
            )
            # the last look and the write stand in one turn of the loop: what it saw still holds
            if before_write is not None:
                before_write()
                self._check_writable()  # it may have closed this session
            if before_write is not None or command.trades:
                self._wire.write(data)
            else:
                self._wire.write_soon(data)  # a burst of questions leaves in one system call
        # a caller that is cancelled here must free its place, too
        except BaseException:
            self._calls.discard(call)
            raise
        if on_written is not None:
            on_written()
        # from the write on: nobody waits for what was not sent
        self._expire_in(timeout_s, call)
        try:
            result: R = await call.future
        except asyncio.CancelledError:
            self._calls.abandon(call)
            raise
        return result

    def _check_writable(self) -> None:
        if self.end_reason or self.connection.state is CLOSED:
            raise NotSent(f"the terminal is gone: {self.end_reason}")
        if (unsent := self._wire.unsent()) > self._max_unsent:
            raise TerminalBusy(f"the terminal does not read: {unsent} bytes are unsent")

    def _expire_in(self, timeout_s: float, call: PendingCall) -> None:
        call.timeout_s = timeout_s
        call.deadline_s = self._timers.time() + timeout_s
        # one timer for all calls: nearly every call is answered long before it is due, and to set
        # and cancel one of its own took a tenth of what a question costs
        if call.deadline_s < self._alarm_s:
            self._set_alarm(timeout_s, call.deadline_s)

    def _set_alarm(self, delay_s: float, at_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_s = at_s
        self._alarm = self._timers.call_later(delay_s, self._expire_due)

    def _expire_due(self) -> None:
        # a loop calls up to the resolution of its clock too early
        now_s = max(self._timers.time(), self._alarm_s)
        self._alarm, self._alarm_s = None, math.inf
        for call in self._calls.due(now_s):
            self._expire(call)
        next_s = self._calls.next_deadline_s()
        if next_s < math.inf:
            # from now on, not from when this one was due: or each would be earlier than the last
            self._set_alarm(next_s - self._timers.time(), next_s)

    def _expire(self, call: PendingCall) -> None:
        if call.future.done():
            return
        op = call.command.op
        late = CommandTimeout(op, call.timeout_s, busy=self._liveness.is_busy)
        call.future.set_exception(call.lost(str(late)) if call.command.trades else late)
        self._calls.abandon(call)

    # --- being told ----------------------------------------------------------------------

    def start(self) -> None:
        """Begin with the heartbeats; the server calls it once ``welcome`` was sent."""
        if not self.end_reason:
            self._liveness.start()

    def handle(self, messages: list[Message]) -> None:
        """Take messages of the terminal; the server calls it."""
        if self.end_reason or not messages:
            return
        self._liveness.heard()  # any line is a proof of life, not heartbeats alone
        for message in messages:
            self._dispatch(message)
            if self.end_reason:
                return
        if isinstance(last := messages[-1], Busy):  # what it says after it ends it
            self._liveness.busy(last.ms / 1000)
        # an EA stops telling at a full window, so half of one is acknowledged without delay
        if self.last_q - self._acknowledged >= WINDOW // 2:
            self._send_heartbeat(0)

    def take_in(self) -> None:
        """Take what was read and waits for its turn: it counts as acknowledged."""
        self._wire.flush()

    def close(self, code: str) -> None:
        """Say ``bye`` and end the session, with all that is in flight."""
        if self.end_reason:
            return
        if self.connection.state is not CLOSED:
            self._wire.write(self.connection.send(Bye(code=code)))
        self.end(code)

    def end(self, reason: str) -> None:
        """End the session: settle what is in flight, and notify the listeners."""
        if self.end_reason:
            return
        # first: all that follows may call this session again
        self.end_reason = reason
        self._liveness.stop()
        if self._alarm is not None:
            self._alarm.cancel()
        self._wire.close()
        logger.info("session %s of terminal %s ended: %s", self.id, self.terminal, reason)
        self._calls.fail_all(reason)
        self._notify_change()

    def _dispatch(self, message: Message) -> None:
        match message:
            case Res():
                if self._calls.answer(message):
                    self._liveness.proved()
            case Ack():
                self._calls.ack(message.id)
            case Hb():
                self._take_heartbeat(message)
            case Bye():
                self.end(f"the terminal said bye: {message.code!r}")

    # --- what a subclass says --------------------------------------------------------------

    def _take_heartbeat(self, hb: Hb) -> None:
        if hb.n:
            self._liveness.echoed(hb.n)

    def _stamp(self) -> int:
        """Return when something is said, for a peer that wants to know; 0 for others."""
        return 0

    def _take_result(self, call: PendingCall, result: Any) -> str | None:
        """Check a whole result before its caller gets it; return the fault, ``None`` if none."""
        return None

    def _notify_change(self) -> None:
        """Report that the state or a flag is another than before."""

    def _notify_late_result(self, late: LateResult) -> None:
        """Report that a trade's outcome is known after all."""

    # --- telling -------------------------------------------------------------------------

    def _send_heartbeat(self, n: int) -> None:
        # a peer that does not read gets no more of them: they would only pile up
        if self.connection.state is not CLOSED and self._wire.unsent() <= self._max_unsent:
            self._acknowledged = self.last_q
            beat = Hb(ack=self.last_q, n=n, lease_ms=self.lease_ms, sent=self._stamp())
            self._wire.write(self.connection.send(beat))

    def _die(self) -> None:
        self.end("silent for too long")

    def _notify(self, callback: Callable[..., None], *args: object) -> None:
        """Call a listener. Its fault is not the peer's: it is logged and the link lives on."""
        try:
            callback(self, *args)
        except Exception:
            logger.exception("a listener of terminal %s failed", self.terminal)
