"""Guarded terminals of all callers, each at its market or on paper, and the parts that trade.

Here the rights of a caller, its limits, the journal, the kill switch and the risk checker come
together for each terminal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import NamedTuple, TypeVar

from ea_bridge.commands import Command
from ea_bridge.host import wall_ms
from ea_bridge.model.struct import Struct
from ea_bridge.registry import TerminalEntry, TerminalRegistry
from ea_bridge.session import SessionCallbacks
from gateway.accounts import AccountBook
from gateway.accounts.caller_limits import LimitsBook
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.broker_time.clock import BrokerClocks
from gateway.config import Config
from gateway.credentials.lease import Tier
from gateway.paper.service import PaperService
from gateway.storage.ledger import Ledger
from gateway.streams.kept import StreamBook
from gateway.streams.service import Streams
from gateway.trading.contingent.service import ContingentService, with_held
from gateway.trading.kill_switch.service import KillSwitchService
from gateway.trading.reconcile.service import ReconcileService
from gateway.trading.state import AccountState, TradingState
from gateway.trading.terminal import GuardedTerminal, unattended

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
MAX_CALLERS = 1024
"""Tokens whose terminals are kept from call to call."""


class _CallerTerminal(NamedTuple):
    """Terminal of one token."""

    caller: Caller
    entry: TerminalEntry
    guarded: GuardedTerminal


class GuardedTerminals:
    """Guarded terminals of all callers, and the parts that trade of which they are made.

    The parts know each other in a circle while they run: a switch to paper moves held orders, held
    orders trade through guarded terminals, and a guarded terminal looks at the switch. So each is
    given this object, and none of them calls it before all are made.

    Must be made in a running loop.

    Args:
        ledger: open for as long.
        audit: hears of every order.
        registry: of the live sessions.
        gate: decides what a token may do.
        accounts: that are registered.
        config: what may be traded at most, and how much a caller may hear.
        on_point: called where a crash would leave something else behind; for tests that crash.

    Raises:
        StoreError: what the last run has left in the ledger cannot be read.

    """

    def __init__(
        self,
        ledger: Ledger,
        audit: Audit,
        *,
        registry: TerminalRegistry,
        gate: Gate,
        accounts: AccountBook,
        config: Config,
        on_point: Callable[[str], None] | None = None,
    ) -> None:
        self._registry, self._gate = registry, gate
        self._limits = LimitsBook(config.trading, gate.limits, accounts.of_terminal)
        self._states: dict[str, TradingState] = {}
        self._of_callers: dict[str, _CallerTerminal] = {}
        self.clocks = BrokerClocks()
        self._stream_book = StreamBook(ledger)
        self.streams = Streams(
            boot=audit.boot,
            clock=asyncio.get_running_loop(),
            now_ms=wall_ms,
            ask=self._ask,
            clock_of=self.clocks.of,
            max_channels=config.limits.max_channels,
        )
        self.kill_switch = KillSwitchService(
            ledger,
            audit,
            registry,
            self,
            self.streams.announce,
        )
        self.reconcile = ReconcileService(
            ledger,
            registry,
            self,
            audit,
            self.streams.settled,
            on_point,
            self.kill_switch.disconnects.found,
            self.streams.keep_nothing,
        )
        self.account_state = AccountState(self.reconcile.log, ledger, registry)
        self.contingent = ContingentService(
            ledger,
            audit,
            registry=registry,
            gate=gate,
            streams=self.streams,
            clock=self.clocks.of,
            terminals=self,
            replaced=self.kill_switch.disconnects.replaced,
        )
        self.paper = PaperService(
            ledger,
            registry,
            accounts.of_terminal,
            self.clocks.of,
            audit,
            streams=self.streams,
            contingent=self.contingent,
            switched=self.kill_switch.leases.look,
        )

    @property
    def callbacks(self) -> SessionCallbacks:
        """Callbacks for the sessions of terminals."""
        return SessionCallbacks(
            on_event=self.paper.event,
            on_clock=partial(self.clocks.beat, self.streams.clock_changed),
            on_late_result=self.reconcile.late,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do what has to be done by time, and follow the terminals, while the context lasts.

        Raises:
            StoreError: what was armed when the last gateway ended cannot be read.

        """
        subscribe = self._registry.subscribe
        await self._go_on_telling()
        async with AsyncExitStack() as stack:
            # the last of all: from then on nothing is told that the next gateway would not know of
            stack.callback(lambda: self._stream_book.put(self.streams.kept()))
            # the order in which they hear of a terminal: its clock is known before a stream or a
            # held order reads the time
            await stack.enter_async_context(self.kill_switch.running())
            clock_changed = self.streams.clock_changed
            stack.callback(subscribe(partial(self.clocks.linked, clock_changed)))
            stack.callback(subscribe(self.streams.change))
            stack.callback(self.streams.close)
            stack.enter_context(self.contingent.running())
            await stack.enter_async_context(self.reconcile.running())
            await stack.enter_async_context(self.paper.running())
            yield

    async def _go_on_telling(self) -> None:
        """Go on with the streams where the gateway before has ended, if it has ended in order."""
        kept = await self._stream_book.take(wall_ms())
        for name, streams in kept.items():
            self._registry.go_on_from(name, streams.run.boot, streams.run.q)
        self.streams.go_on_from(kept)

    def terminal_for(self, caller: Caller) -> GuardedTerminal:
        """Return the terminal of a caller's token; the same one, until the token's rights change
        or paper trading is switched.
        """
        kept = self._of_callers.get(caller.tid)
        # the gate gives out one object as long as nothing changes
        if kept is not None and (kept.caller is caller or kept.caller == caller):
            if kept.guarded.is_paper == self.paper.is_on_at(kept.entry):
                return kept.guarded
        elif len(self._of_callers) >= MAX_CALLERS:
            self._of_callers.clear()
        recheck = partial(self._gate.recheck, caller)
        guarded = self.terminal(caller.terminal, recheck, caller.tid)
        entry = self._registry.terminal(caller.terminal)
        self._of_callers[caller.tid] = _CallerTerminal(caller, entry, guarded)
        return guarded

    def terminal(
        self,
        name: str,
        recheck: Callable[[Tier], None],
        tid: str | None = None,
        paper: bool | None = None,
    ) -> GuardedTerminal:
        """Make the way to a terminal: to its market or its paper broker as the switch stands now,
        or (``paper``) to one of them however it stands.
        """
        entry = self._registry.terminal(name)
        on_paper = self.paper.is_on_at(entry) if paper is None else paper
        state = self.state(name)
        return GuardedTerminal(
            name,
            session=partial(self.paper.session, entry, paper=on_paper, forced=paper is not None),
            facts=partial(self.paper.facts, entry, paper=on_paper),
            clock=self.clocks.of(name),
            journal=state.journal,
            switch=self.kill_switch.switch.of(name),
            recheck=self.paper.looking(entry, recheck),
            limits=lambda: self._limits.of(entry.facts, tid),
            paper=on_paper,
        )

    def state_of(self, terminal: GuardedTerminal) -> TradingState:
        """Return what all callers of a terminal share: another state on paper."""
        state = self.state(terminal.name)
        return self.paper.state(terminal.name, state) if terminal.is_paper else state

    def state(self, terminal: str) -> TradingState:
        """Return what all callers of a terminal share at the market; made when first asked for."""
        state = self._states.get(terminal)
        if state is None:
            locks = self.account_state.locks(terminal)
            state = self._states[terminal] = TradingState(
                locks=locks,
                contingent=self.contingent.of(terminal, locks),
                journal=self.reconcile.of(terminal),
                risk=self.account_state.risk_checker(),
            )
        return state

    async def _ask(self, terminal: str, command: Command[P, R], params: P, /) -> R:
        """Ask for the streams, which only read: no caller stands behind them."""
        guarded = self.terminal(terminal, unattended)
        return with_held(self.state_of(guarded), command, await guarded.request(command, params))

    def is_on_paper(self, name: str) -> bool:
        """Whether a terminal trades on paper now."""
        return self.paper.is_on(name)
