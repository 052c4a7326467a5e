"""State that all callers of one terminal share, however many programs and tokens there are.

It is handed beside a :class:`~.terminal.GuardedTerminal`, which knows nothing of it.

:class:`TicketLocks` makes one change of a position or an order follow the other. What a change
sends is worked out from what the terminal has just said: how much of a position is open, which
stop stays as it is. Two callers who look at the same moment and then both send would undo one
another: on a netting account a second closing deal opens an opposite position, and a new take
profit brings back the stop loss of a moment before. So whoever comes second waits until the first
has its answer, and looks then; also one who comes through another terminal of the account.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ea_bridge.model import Order
from ea_bridge.registry import TerminalRegistry
from gateway import schemas as shapes
from gateway.credentials.lease import Tier
from gateway.errors import GatewayError
from gateway.storage.ledger import Ledger
from gateway.trading.journal import AccountKey, OrderLog, SqliteJournal
from gateway.trading.risk.counters import CounterBook, Unresolved, sent_orders

from .filling import FillingMemory
from .journal import Journal
from .requests import Deadline, ExecutionOptions, OrderModification, OrderRequest, PreparedOrder
from .risk.checker import OrderAdmission, RiskChecker
from .symbols import SymbolNames
from .terminal import GuardedTerminal


@dataclass
class _TicketLock:
    """Lock of one ticket; kept while somebody has it or waits for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callers: int = 0


LockTable = dict[tuple[Hashable, int], _TicketLock]
"""By account and ticket."""


class TicketLocks:
    """Locks of one terminal's tickets. Their number is bounded by the calls in progress.

    Args:
        table: the locks of all terminals that share accounts.
        account: tells which one the terminal is logged in to now.

    """

    def __init__(
        self, table: LockTable | None = None, account: Callable[[], Hashable] = lambda: None
    ) -> None:
        self._table: LockTable = {} if table is None else table
        self._account = account

    def __len__(self) -> int:
        """Number of tickets that are being changed or waited for."""
        return len(self._table)

    @asynccontextmanager
    async def of(self, options: ExecutionOptions, *tickets: int) -> AsyncIterator[None]:
        """Wait until nobody else changes these positions or orders; keep others waiting.

        Raises:
            DeadlineExceeded: the turn did not come while the trade was worth sending.

        """
        async with AsyncExitStack() as stack:
            with options.before_sending():
                # in the order of their numbers, so that no two callers wait for each other
                for ticket in sorted(set(tickets)):
                    await stack.enter_async_context(self._lock(ticket, options.deadline))
            yield

    @asynccontextmanager
    async def _lock(self, ticket: int, deadline: Deadline) -> AsyncIterator[None]:
        # by the account, too: another terminal of it may change the same ticket
        key = (self._account(), ticket)
        entry = self._table.setdefault(key, _TicketLock())
        entry.callers += 1
        try:
            await _acquire(entry.lock, deadline)
            try:
                yield
            finally:
                entry.lock.release()
        finally:
            entry.callers -= 1
            # the last caller takes the entry away, so that the table stays as small as the calls
            if not entry.callers:
                del self._table[key]


async def _acquire(lock: asyncio.Lock, deadline: Deadline) -> None:
    try:
        # no longer than the trade is worth sending: who comes second may wait for a slow broker
        async with asyncio.timeout(deadline.remaining_ms() / 1000):
            await lock.acquire()
    except TimeoutError:
        raise deadline.exceeded() from None


class NullContingentOrders:
    """Contingent orders of a gateway that keeps none: every order is the terminal's."""

    def emulates(self, terminal: GuardedTerminal, order: OrderRequest) -> bool:
        """Whether an order is one that the daemon keeps, since the terminal cannot."""
        return False

    def holds(self, ticket: int) -> bool:
        """Whether an order that waits is kept here."""
        return False

    def orders(self, symbol: str | None = None, ticket: int | None = None) -> list[Order]:
        """Return those that wait, oldest first."""
        return []

    def counted(self) -> list[Order]:
        """Return those of the account that count against limits, whichever terminal holds them:
        not one whose limit order is on its way, since that counts itself."""
        return []

    def known(self, terminal: GuardedTerminal, client_order_id: str) -> Order | None:
        """Return the order of an id, waiting or over, of the account that a terminal is logged in
        to, or was last.

        Raises:
            StoreError: it cannot be read.

        """
        return None

    def past(self, ticket: int) -> Order | None:
        """Return an order that was kept here and is over."""
        return None

    async def place(
        self,
        terminal: GuardedTerminal,
        state: TradingState,
        order: OrderRequest,
        options: ExecutionOptions,
    ) -> shapes.OrderReceipt:
        """Keep an order, as :func:`.orders.place` sends one."""
        raise self._missing(terminal)

    async def modify(
        self,
        terminal: GuardedTerminal,
        state: TradingState,
        change: OrderModification,
        options: ExecutionOptions,
    ) -> shapes.OrderReceipt:
        """Change an order that is kept here."""
        raise self._missing(terminal)

    async def cancel(
        self, terminal: GuardedTerminal, ticket: int, options: ExecutionOptions
    ) -> shapes.OrderReceipt:
        """Drop an order that is kept here."""
        raise self._missing(terminal)

    def _missing(self, terminal: GuardedTerminal) -> GatewayError:
        return terminal.not_supported("stop_limit")


@dataclass(kw_only=True)
class TradingState:
    """Shared state of one terminal; it outlives links and callers, and ends with the daemon."""

    locks: TicketLocks = field(default_factory=TicketLocks)
    """One change of an order or a position after the other."""
    risk: RiskChecker = field(default_factory=RiskChecker)
    """Admits orders, and counts their part of the limits."""
    symbols: SymbolNames = field(default_factory=SymbolNames)
    """Callers' names of the broker's symbols."""
    fillings: FillingMemory = field(default_factory=FillingMemory)
    """The filling modes that its broker takes."""
    journal: Journal = field(default_factory=Journal)
    """The journal that its guarded terminals are made with."""
    contingent: NullContingentOrders = field(default_factory=NullContingentOrders)
    """Orders that the daemon keeps itself, and which cancel one another."""

    async def admit(self, terminal: GuardedTerminal, order: PreparedOrder) -> OrderAdmission:
        """Check an order, and take its part of the limits; see :meth:`.RiskChecker.admit`."""
        return await self.risk.admit(terminal, order, self.symbols, self.contingent)


class Terminals(Protocol):
    """Maker of guarded terminals, and of the state that their callers share."""

    def terminal(
        self,
        name: str,
        recheck: Callable[[Tier], None],
        tid: str | None = None,
        paper: bool | None = None,
    ) -> GuardedTerminal:
        """Make the way to a terminal.

        Args:
            name: of the terminal.
            recheck: see :class:`~.terminal.GuardedTerminal`.
            tid: the token whose limits count.
            paper: to its paper broker or to its market; ``None``: as the switch stands now.

        """

    def state_of(self, terminal: GuardedTerminal) -> TradingState:
        """Return the state of a terminal: on paper it has another one."""

    def is_on_paper(self, name: str) -> bool:
        """Whether a terminal trades on paper now."""


StateOf = Callable[[GuardedTerminal], TradingState]
"""Return the state of a terminal: on paper it has another one."""


class AccountState:
    """Counters and locks of all accounts, while the gateway runs.

    Args:
        log: of all orders.
        ledger: open.
        registry: tells which account a terminal is logged in to.

    """

    def __init__(self, log: OrderLog, ledger: Ledger, registry: TerminalRegistry) -> None:
        self._log = log
        self._ledger = ledger
        self._registry = registry
        self._counter_book = CounterBook(self._unresolved)
        self._locks: LockTable = {}

    def risk_checker(self) -> RiskChecker:
        """Return the checker of one more terminal, which knows what the journal knows."""
        return RiskChecker(self._counter_book, sent_orders(self._ledger.reader))

    def locks(self, terminal: str) -> TicketLocks:
        """Return the locks of a terminal."""
        return TicketLocks(self._locks, partial(self._account, terminal))

    def _account(self, terminal: str) -> AccountKey | None:
        facts = self._registry.facts(terminal)
        return None if facts is None else AccountKey(facts.hello.login, facts.hello.server)

    def _unresolved(self, account: AccountKey) -> Unresolved:
        return SqliteJournal(self._log, "", lambda: account).unresolved
