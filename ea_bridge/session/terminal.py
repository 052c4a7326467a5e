"""Session of a terminal, as the gateway holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ea_bridge.commands import Watched, WatchParams
from ea_bridge.model import Account
from ea_bridge.protocol.connection import Connection
from ea_bridge.protocol.messages import (
    AccountEvent,
    BarEvent,
    Book,
    Event,
    Hb,
    Hello,
    Lost,
    Message,
    Pnl,
    Res,
    StateEvent,
    Ticks,
    Trade,
)

from .calls import LateResult, PendingCall
from .liveness import Timers
from .peer import PeerSession, Wire

MAX_SYMBOLS = 4096
"""Symbols that one terminal may have been asked to push."""


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class SessionCallbacks:
    """Listeners of a terminal's session. All are called in the event loop and must not block."""

    on_event: Callable[[TerminalSession, Event], None] = _ignore
    on_change: Callable[[TerminalSession], None] = _ignore
    """``state``, ``broker``, ``autotrading`` or ``trade_allowed`` is another than before."""
    on_clock: Callable[[TerminalSession, int, int], None] = _ignore
    """``tcur`` and ``tgmt`` in seconds, as in :class:`~ea_bridge.model.Clock`, each second."""
    on_late_result: Callable[[TerminalSession, LateResult], None] = _ignore


@dataclass
class SessionCounters:
    """Counts of dropped events."""

    unknown_symbol: int = 0
    """Ticks, books and bars of a symbol that was never watched."""


class TerminalSession(PeerSession):
    """Session of one live terminal.

    Args:
        callbacks: who hears of what it tells; the others as of a :class:`.PeerSession`.

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
        super().__init__(
            terminal=terminal,
            generation=generation,
            id=id,
            hello=hello,
            connection=connection,
            wire=wire,
            timers=timers,
            command_ids=command_ids,
        )
        self.counters = SessionCounters()
        self.autotrading: bool | None = None
        """The terminal's AutoTrading button is on."""
        self.trade_allowed: bool | None = None
        """The account may trade, as far as the terminal has told."""
        self._callbacks = callbacks
        self._symbols: dict[int, str] = {}

    def symbol_of(self, sym: int) -> str:
        """Return the symbol that a ``ticks``, ``book`` or ``bar`` event is about.

        Raises:
            KeyError: never watched; such events are not handed on.

        """
        return self._symbols[sym]

    def _dispatch(self, message: Message) -> None:
        match message:
            case Res():  # first: a caller waits for it
                super()._dispatch(message)
            case Ticks():
                self._take_ticks(message)
            case Book() | BarEvent():
                # an index that was never given out: a lie, or of the link before this one
                if message.sym in self._symbols:
                    self._notify_event(message)
                else:
                    self.counters.unknown_symbol += 1
            case AccountEvent():
                if not self._is_other_account(message.d):
                    self._notify_event(message)
            case StateEvent():
                self._take_flags(message.broker, message.autotrading, message.trade_allowed)
                self._notify_event(message)
            case Trade() | Pnl() | Lost():
                self._notify_event(message)
            case _:
                super()._dispatch(message)

    def _take_ticks(self, ticks: Ticks) -> None:
        symbols = self._symbols
        known = [row for row in ticks.d if row[0] in symbols]
        if len(known) == len(ticks.d):  # nearly always: the message goes on as it came
            self._notify_event(ticks)
            return
        self.counters.unknown_symbol += len(ticks.d) - len(known)
        if known:
            self._notify_event(Ticks(d=known, q=ticks.q))

    def _take_heartbeat(self, hb: Hb) -> None:
        super()._take_heartbeat(hb)
        self._take_flags(hb.broker, hb.autotrading, None)
        # 0 and 0: an EA that tells no clock
        if hb.tcur or hb.tgmt:
            self._notify(self._callbacks.on_clock, hb.tcur, hb.tgmt)

    def _take_flags(
        self, broker: bool | None, autotrading: bool | None, trade_allowed: bool | None
    ) -> None:
        before = (self.broker, self.autotrading, self.trade_allowed)
        given = (broker, autotrading, trade_allowed)
        # ``None`` in a message: unchanged
        after = tuple(old if new is None else new for old, new in zip(before, given, strict=True))
        if after != before:
            self.broker, self.autotrading, self.trade_allowed = after
            self._notify_change()

    def _take_result(self, call: PendingCall, result: Any) -> str | None:
        if isinstance(result, Watched) and isinstance(call.params, WatchParams):
            return self._learn_symbol(call.params.symbol, result)
        if isinstance(result, Account) and self._is_other_account(result):
            return "the account has changed"
        return None

    def _learn_symbol(self, asked: str, watched: Watched) -> str | None:
        """Note the index of a symbol at once: its first ticks may be in the same data."""
        # ticks under a wrong name would be traded on
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
        # an EA may leave the server's name out: then the login has to fit alone
        if account.login == hello.login and account.server in ("", hello.server):
            return False
        # at once: what is in flight was meant for the other account
        self.close("account_changed")
        return True

    # --- telling -------------------------------------------------------------------------

    def _notify_event(self, event: Event) -> None:
        self._notify(self._callbacks.on_event, event)

    def _notify_change(self) -> None:
        self._notify(self._callbacks.on_change)

    def _notify_late_result(self, late: LateResult) -> None:
        self._notify(self._callbacks.on_late_result, late)
