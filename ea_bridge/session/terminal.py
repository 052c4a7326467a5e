"""The session itself: what the gateway holds of a terminal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ea_bridge.commands import Command, Watched, WatchParams
from ea_bridge.errors import CommandTimeout, NotSent, TerminalBusy, Unsupported
from ea_bridge.model import Account
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.connection import CLOSED, Connection
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import (
    AccountEvent,
    Ack,
    BarEvent,
    Book,
    Bye,
    Cmd,
    Event,
    Hb,
    Hello,
    Lost,
    Message,
    Pnl,
    Res,
    State,
    Ticks,
    Trade,
)

from .calls import Call, Calls, LateResult
from .liveness import Liveness, SessionState
from .surroundings import SessionCallbacks, SessionCounters, Wire
from .timers import Timers

DEFAULT_TIMEOUT_S = 10.0
MAX_UNSENT = 64 * 1024
"""Bytes that the kernel did not take. An EA that lets so many pile up does not read, and a
command behind them would arrive late."""
MAX_SYMBOLS = 4096
"""Symbols that one terminal may have been asked to push."""
WINDOW = 512
"""Most counted events without an ``ack``, as told in ``welcome``."""

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
logger = logging.getLogger(__name__)


class TerminalSession:
    """One live terminal.

    Args:
        terminal: its id, as the token says.
        generation: of the token, when the terminal was admitted; the gate compares it.
        id: of this session, told to the EA.
        hello: what the terminal said of itself.
        connection: READY.
        command_ids: unique for good, since EAs remember the ids they have executed.

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
        callbacks: SessionCallbacks,
    ) -> None:
        self.terminal = terminal
        self.generation = generation
        self.id = id
        self.hello = hello
        self.caps = parse_caps(hello.caps)
        self.connection = connection
        self.counters = SessionCounters()
        self.broker: bool | None = None
        """The terminal is connected to its broker; ``None`` before the first heartbeat."""
        self.autotrading: bool | None = None
        """The terminal's AutoTrading button is on."""
        self.trade_allowed: bool | None = None
        """The account may trade, as far as the terminal has told."""
        self.end_reason = ""
        """Why the session ended; empty while it lives."""
        self.lease_ms = 0
        """How long each of our heartbeats lets the EA's lease live; see ``LeaseTerms``."""
        self._wire = wire
        self._timers = timers
        self._callbacks = callbacks
        self._symbols: dict[int, str] = {}
        self._acknowledged = connection.events.last
        self._calls = Calls(command_ids, self._tell_late_result, self._take_result)
        self._liveness = Liveness(timers, self._send_heartbeat, self._tell_change, self._die)

    @property
    def state(self) -> SessionState:
        """Ready, stale, or (for good) disconnected."""
        return self._liveness.state

    @property
    def round_trip_s(self) -> float | None:
        """How long the last heartbeat took there and back; ``None`` before the first."""
        return self._liveness.round_trip_s

    @property
    def silence_s(self) -> float:
        """How long ago the terminal said something."""
        return self._liveness.silence_s

    @property
    def last_q(self) -> int:
        """The last counted event that was taken."""
        return self.connection.events.last

    @property
    def in_flight(self) -> int:
        """How many commands wait for their answer."""
        return len(self._calls)

    @property
    def trades_in_flight(self) -> int:
        """How many trades were written to the terminal and are not answered."""
        return self._calls.trades

    @property
    def strays(self) -> int:
        """Answers to nothing that was waited for."""
        return self._calls.strays

    def symbol_of(self, sym: int) -> str:
        """Return the symbol that a ``ticks``, ``book`` or ``bar`` event is about.

        Raises:
            KeyError: never watched; such events are not handed on.

        """
        return self._symbols[sym]

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
                Cmd(id=call.id, op=command.op, ttl=ttl, params=params),
            )
            if before_write is not None:
                before_write()
                self._check_writable()
            self._wire.write(data)
        except BaseException:
            self._calls.discard(call)
            raise
        if on_written is not None:
            on_written()
        timer = self._timers.call_later(timeout_s, self._expire, call, timeout_s)
        try:
            result: R = await call.future
        except asyncio.CancelledError:
            self._calls.abandon(call)
            raise
        finally:
            timer.cancel()
        return result

    def _check_writable(self) -> None:
        if self.end_reason or self.connection.state is CLOSED:
            raise NotSent(f"the terminal is gone: {self.end_reason}")
        if (unsent := self._wire.unsent()) > MAX_UNSENT:
            raise TerminalBusy(f"the terminal does not read: {unsent} bytes are unsent")

    def _expire(self, call: Call, timeout_s: float) -> None:
        if call.future.done():
            return
        op = call.command.op
        late = CommandTimeout(op, timeout_s)
        call.future.set_exception(call.lost(str(late)) if call.command.trades else late)
        self._calls.abandon(call)

    # --- being told ----------------------------------------------------------------------

    def start(self) -> None:
        """Begin with the heartbeats; the server calls it once ``welcome`` was sent."""
        if not self.end_reason:
            self._liveness.start()

    def handle(self, messages: list[Message]) -> None:
        """Take what the terminal said; the server calls it."""
        if self.end_reason or not messages:
            return
        self._liveness.heard()
        for message in messages:
            self._dispatch(message)
            if self.end_reason:
                return
        if self.last_q - self._acknowledged >= WINDOW // 2:
            self._send_heartbeat(0)

    def close(self, code: str) -> None:
        """Say ``bye`` and end the session, with all that is in flight."""
        if self.end_reason:
            return
        if self.connection.state is not CLOSED:
            self._wire.write(self.connection.send(Bye(code=code)))
        self.end(code)

    def end(self, reason: str) -> None:
        """The link is lost or shall be: settle what is in flight and tell who wants to know."""
        if self.end_reason:
            return
        self.end_reason = reason
        self._liveness.stop()
        self._wire.close()
        logger.info("session %s of terminal %s ended: %s", self.id, self.terminal, reason)
        self._calls.fail_all(reason)
        self._tell_change()

    def _dispatch(self, message: Message) -> None:
        match message:
            case Ticks():
                self._take_ticks(message)
            case Res():
                self._calls.answer(message)
            case Ack():
                self._calls.ack(message.id)
            case Hb():
                self._take_heartbeat(message)
            case Book() | BarEvent():
                if message.sym in self._symbols:
                    self._tell_event(message)
                else:
                    self.counters.unknown_symbol += 1
            case AccountEvent():
                if not self._is_other_account(message.d):
                    self._tell_event(message)
            case State():
                self._take_flags(message.broker, message.autotrading, message.trade_allowed)
                self._tell_event(message)
            case Bye():
                self.end(f"the terminal said bye: {message.code}")
            case Trade() | Pnl() | Lost():
                self._tell_event(message)

    def _take_ticks(self, ticks: Ticks) -> None:
        symbols = self._symbols
        known = [row for row in ticks.d if row[0] in symbols]
        if len(known) == len(ticks.d):
            self._tell_event(ticks)
            return
        self.counters.unknown_symbol += len(ticks.d) - len(known)
        if known:
            self._tell_event(Ticks(d=known, q=ticks.q))

    def _take_heartbeat(self, hb: Hb) -> None:
        if hb.n:
            self._liveness.echoed(hb.n)
        self._take_flags(hb.broker, hb.autotrading, None)
        if hb.tcur or hb.tgmt:
            self._tell(self._callbacks.on_clock, hb.tcur, hb.tgmt)

    def _take_flags(
        self, broker: bool | None, autotrading: bool | None, trade_allowed: bool | None
    ) -> None:
        before = (self.broker, self.autotrading, self.trade_allowed)
        given = (broker, autotrading, trade_allowed)
        after = tuple(old if new is None else new for old, new in zip(before, given, strict=True))
        if after != before:
            self.broker, self.autotrading, self.trade_allowed = after
            self._tell_change()

    def _take_result(self, call: Call, result: Any) -> str | None:
        if isinstance(result, Watched) and isinstance(call.params, WatchParams):
            return self._learn_symbol(call.params.symbol, result)
        if isinstance(result, Account) and self._is_other_account(result):
            return "the account has changed"
        return None

    def _learn_symbol(self, asked: str, watched: Watched) -> str | None:
        """Note the index of a symbol at once: its first ticks may be in the same data."""
        if watched.symbol != asked:
            return "the answer is about another symbol"
        if watched.sym not in self._symbols and len(self._symbols) >= MAX_SYMBOLS:
            return f"more than {MAX_SYMBOLS} symbols"
        self._symbols[watched.sym] = asked
        return None

    def _is_other_account(self, account: Account) -> bool:
        """End the session where the terminal has been logged in elsewhere.

        Admission was for one login at one server. A switch usually restarts the EA, but not
        always, so what it says is compared: it has to come in by the front door again.
        """
        hello = self.hello
        if account.login == hello.login and account.server in ("", hello.server):
            return False
        self.close("account_changed")
        return True

    # --- telling -------------------------------------------------------------------------

    def _send_heartbeat(self, n: int) -> None:
        if self.connection.state is not CLOSED and self._wire.unsent() <= MAX_UNSENT:
            self._acknowledged = self.last_q
            beat = Hb(ack=self.last_q, n=n, lease_ms=self.lease_ms)
            self._wire.write(self.connection.send(beat))

    def _die(self) -> None:
        self.end("silent for too long")

    def _tell_event(self, event: Event) -> None:
        self._tell(self._callbacks.on_event, event)

    def _tell_change(self) -> None:
        self._tell(self._callbacks.on_change)

    def _tell_late_result(self, late: LateResult) -> None:
        self._tell(self._callbacks.on_late_result, late)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        """A listener's fault is not the terminal's: it is logged and the link lives on."""
        try:
            callback(self, *args)
        except Exception:
            logger.exception("a listener of terminal %s failed", self.terminal)
