"""Service of paper trading: the switch of each terminal, and its events while it is on paper."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from ea_bridge.host import wall_ms
from ea_bridge.model import Tick
from ea_bridge.protocol.messages import AccountEvent, Event, Hello, Pnl, Ticks, Trade
from ea_bridge.registry import (
    ChangeKind,
    TerminalChange,
    TerminalEntry,
    TerminalFacts,
    TerminalRegistry,
)
from ea_bridge.session import TerminalSession
from gateway.accounts import RegisteredAccount
from gateway.audit import Audit
from gateway.background import background, next_look
from gateway.broker_time.clock import BrokerClock
from gateway.credentials.lease import Tier
from gateway.paper import BookKey, PaperAccount, PaperSession, paper_hello
from gateway.storage.ledger import Ledger
from gateway.streams.channels import Channel
from gateway.streams.service import Streams
from gateway.trading.contingent.service import ContingentService
from gateway.trading.filling import FillingMemory
from gateway.trading.session import TradingSession
from gateway.trading.state import TradingState

LOOK_S = 0.25
"""Between two looks whether somebody has switched: for events; each call looks for itself."""

logger = logging.getLogger(__name__)


class PaperService:
    """Paper accounts of all terminals while the gateway runs.

    Args:
        ledger: open.
        registry: of the live sessions.
        registered: the account that a terminal is logged in to, if its owner registered it.
        clock: returns a terminal's broker clock.
        audit: hears of each switch.
        streams: tell who listens, and have terminals push ticks.
        contingent: keeps orders, at the market or on paper.
        switched: told of a terminal whose trades go elsewhere from now on.

    """

    def __init__(
        self,
        ledger: Ledger,
        registry: TerminalRegistry,
        registered: Callable[[Hello], RegisteredAccount | None],
        clock: Callable[[str], BrokerClock],
        audit: Audit,
        *,
        streams: Streams,
        contingent: ContingentService,
        switched: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._registered = registered
        self._clock = clock
        self._audit = audit
        self._streams = streams
        self._contingent = contingent
        self._switched = switched
        self._on: dict[str, BookKey] = {}
        """The terminals that trade on paper, as far as has been told."""
        self._accounts: dict[BookKey, PaperAccount] = {}
        self._sessions: dict[str, PaperSession] = {}
        self._states: dict[str, TradingState] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the switches while the context lasts."""
        unsubscribe = self._registry.subscribe(self._change)
        try:
            async with background(self._watch()):
                yield
        finally:
            unsubscribe()
            await asyncio.gather(*(account.close() for account in self._accounts.values()))

    async def _watch(self) -> None:
        while True:
            await next_look(LOOK_S)
            for session in self._registry.sessions():
                self.is_on(session.terminal)

    # --- the switch --------------------------------------------------------------------------

    def is_on(self, terminal: str) -> bool:
        """Whether a terminal's account trades on paper now; tells everybody if that is new."""
        return self.is_on_at(self._registry.terminal(terminal))

    def is_on_at(self, terminal: TerminalEntry) -> bool:
        """Return the same for a terminal that the caller has looked up before."""
        facts = terminal.facts
        account = None if facts is None else self._registered(facts.hello)
        key = None if account is None or not account.paper_trade_enabled else _key(account)
        if key != self._on.get(terminal.name):
            self._switch(terminal.name, key)
        return key is not None

    def _switch(self, terminal: str, key: BookKey | None) -> None:
        # no await in here: nobody may see a terminal between the market and paper
        before = self._on.pop(terminal, None)
        if before is not None:
            self._accounts[before].detach(terminal)
        state = "off" if key is None else "on"
        logger.warning("terminal %s: paper trading is %s", terminal, state)
        self._audit.record("paper_trading", actor="daemon", terminal=terminal, state=state)
        if key is not None:
            self._on[terminal] = key
            hold = partial(self._hold, terminal)
            self._paper_account(terminal, key).attach(terminal, hold)
        session = self._registry.get(terminal)
        self._streams.set_paper(terminal, key is not None)
        if session is not None:
            self._wake(session)
            self._contingent.resume(terminal, session.hello.tid)
        self._switched(terminal)

    def _change(self, change: TerminalChange) -> None:
        terminal = change.facts.terminal
        if change.kind is not ChangeKind.CONNECTED:
            return
        session = self._registry.get(terminal)
        if self.is_on(terminal) and session is not None:
            self._wake(session)

    def _wake(self, session: TerminalSession) -> None:
        key = self._on.get(session.terminal)
        if key is not None:
            self._accounts[key].wake(session)

    def _hold(self, terminal: str, symbol: str) -> Callable[[], None]:
        return self._streams.hold(terminal, Channel("tick", symbol=symbol))

    # --- for those who trade and ask ---------------------------------------------------------

    def looking(
        self, terminal: TerminalEntry, allowed: Callable[[Tier], None]
    ) -> Callable[[Tier], None]:
        """Return a check of rights that first looks at the paper trading switch again."""

        def look_and_ask(tier: Tier) -> None:
            self.is_on_at(terminal)
            allowed(tier)

        return look_and_ask

    def session(
        self, terminal: TerminalEntry, *, paper: bool, forced: bool
    ) -> TradingSession | None:
        """Return the way to a terminal's market or to its paper broker.

        Args:
            paper: to which.
            forced: also while the switch stands otherwise: for what was sent before.

        Returns:
            ``None`` while the terminal is offline, or the switch stands otherwise, as far as
            somebody has looked; who trades looks right before.

        """
        # what was sent to one side is found out there, wherever the switch stands by now
        real = terminal.session
        if real is None or (not forced and (terminal.name in self._on) != paper):
            return None
        return self._paper_session(real) if paper else real

    def state(self, terminal: str, real: TradingState) -> TradingState:
        """Return a terminal's trading state on paper, which has risk checks of its own."""
        found = self._states.get(terminal)
        if found is None:
            fresh = replace(real, risk=real.risk.anew(), fillings=FillingMemory())
            found = self._states[terminal] = fresh
        return found

    def facts(self, terminal: TerminalEntry, *, paper: bool) -> TerminalFacts | None:
        """Return what is known of a terminal, as it is at the market or on paper."""
        facts = terminal.facts
        if facts is None or not paper:
            return facts
        return replace(facts, hello=paper_hello(facts.hello))

    def _paper_session(self, real: TerminalSession) -> PaperSession | None:
        name = real.terminal
        account = self._registered(real.hello)
        if account is None:
            return None
        paper = self._paper_account(name, _key(account))
        known = self._sessions.get(name)
        # a terminal that has linked anew, or is logged in elsewhere, has a session of its own
        if known is None or known.real is not real or known.account is not paper:
            known = self._sessions[name] = PaperSession(real, paper)
        return known

    def _paper_account(self, terminal: str, key: BookKey) -> PaperAccount:
        account = self._accounts.get(key)
        if account is None:
            facts = self._registry.facts(terminal)
            is_mt4 = facts is not None and facts.hello.platform == "mt4"
            account = self._accounts[key] = PaperAccount(
                self._ledger,
                key,
                "mt4" if is_mt4 else "mt5",
                now_msc=partial(_broker_msc, self._clock(terminal)),
                tell=partial(self._tell, key),
            )
        return account

    # --- events ------------------------------------------------------------------------------

    def event(self, session: TerminalSession, event: Event) -> None:
        """Take an event of a terminal's session; on paper, those of its account are not told."""
        key = self._on.get(session.terminal)
        # is_on and not _on: the switch may have turned since somebody looked last
        if isinstance(event, (Trade, AccountEvent, Pnl)) and self.is_on(session.terminal):
            return
        self._contingent.event(session, event)
        if key is not None and isinstance(event, Ticks):
            account = self._accounts[key]
            for sym, time_msc, bid, ask, last, volume, flags in event.d:
                tick = Tick(time_msc, float(bid), float(ask), last, volume, flags)
                account.on_tick(session.symbol_of(sym), tick)

    def _tell(self, key: BookKey, event: Event) -> None:
        for terminal, on in list(self._on.items()):
            session = self._registry.get(terminal)
            paper = None if session is None else self._paper_session(session)
            if on == key and paper is not None and paper.account is self._accounts[key]:
                self._contingent.event(paper, event)


def _key(account: RegisteredAccount) -> BookKey:
    return BookKey(account.id, account.created_at, account.server.casefold())


def _broker_msc(clock: BrokerClock) -> int:
    return clock.broker_now_ms(wall_ms()) if clock.is_measured else 0
