"""Checker of one terminal's orders: asks for the facts, checks the rules, reserves.

Orders of all terminals of an account count together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from ea_bridge.model import TradeResult
from gateway.errors import GatewayError, RiskLimit
from gateway.trading.requests import PreparedOrder
from gateway.trading.symbols import SymbolNames
from gateway.trading.terminal import GuardedTerminal
from gateway.trading.trade_sessions import SessionTables

from ..limits import TradingLimits
from .context import Exposure, OrderEffect, RiskContext, StaleFacts, listed
from .counters import (
    PAST_MS,
    AccountCounters,
    CounterBook,
    End,
    Listed,
    RateEntry,
    Reservation,
    SentOrder,
)
from .facts import AccountFacts, FactSources, Flights, HeldOrderList, Need, learn
from .rules import RULES, Rule

MAX_LOOKS = 20
"""How often facts are asked for again while other orders come and go."""
NOTHING = AccountFacts(0, {})
MAX_PLANS = 256

History = Callable[["GuardedTerminal", int], Iterable[SentOrder]]
"""Returns the new orders that a terminal was sent since a moment, UTC milliseconds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules for one kind of order under some limits."""

    limits: TradingLimits
    rules: tuple[Rule, ...]
    _needs: frozenset[Need]

    def needs(self, order: PreparedOrder) -> frozenset[Need]:
        """Return the facts that they look at."""
        if order.request.sl or "risk" not in self._needs:
            return self._needs
        return self._needs - {"risk"}

    def check(self, context: RiskContext) -> None:
        """Make every check.

        Raises:
            GatewayError: that of the first check that fails; ``data.rule`` names it.
            StaleFacts: the facts do not settle it.

        """
        for rule in self.rules:
            try:
                rule.check(context)
            except GatewayError as error:
                error.data.setdefault("rule", rule.name)
                raise


class Plans:
    """Cache of plans: limits are asked for with each order and hardly ever change."""

    def __init__(self) -> None:
        self._plans: dict[tuple[OrderEffect, int], Plan] = {}

    def plan(self, kind: OrderEffect, limits: TradingLimits) -> Plan:
        """Return the checks to make."""
        key = (kind, id(limits))
        plan = self._plans.get(key)
        if plan is None or plan.limits is not limits:
            rules = tuple(rule for rule in RULES if kind in rule.kinds and rule.if_(limits))
            needs = frozenset(need for rule in rules for need in rule.needs)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            plan = self._plans[key] = Plan(limits, rules, needs)
        return plan


class OrderAdmission:
    """Permission to send one order. Tell it what became of the order: others wait for its part."""

    def __init__(
        self,
        counters: AccountCounters,
        order: PreparedOrder,
        reservation: Reservation | None = None,
        entry: RateEntry | None = None,
    ) -> None:
        self._counters = counters
        self._order = order
        self._reservation = reservation
        self._entry = entry

    @property
    def day(self) -> int | None:
        """The broker's day for which it is counted; ``None``: it is not."""
        return None if self._entry is None else self._entry.stamp.day

    def done(self, result: TradeResult) -> None:
        """The broker took it."""
        for ticket in (self._order.request.position, self._order.request.position_by):
            if ticket:
                self._counters.reservations.closed(ticket)
        self._end("done", result.order, result.position)

    def shown(self) -> None:
        """It is in the lists by now, so it counts there: the gateway keeps it itself."""
        self._end("gone")

    def failed(self, error: BaseException) -> None:
        """It ended otherwise; if it was interrupted nobody knows how."""
        outcome = error.outcome if isinstance(error, GatewayError) else "unknown"
        # an order of unknown outcome keeps its part of the limits until the journal knows
        self._end("gone" if outcome in ("not_sent", "rejected") else "unknown")
        # a refused order was sent, and counts for the rate as brokers count it
        if outcome == "not_sent" and self._entry is not None:
            self._counters.rate.take_back(self._entry)
            self._entry = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count the order as failed if the context raises an error."""
        try:
            yield
        except BaseException as error:
            self.failed(error)
            raise

    def _end(self, how: End, *numbers: int) -> None:
        if self._reservation is not None:
            self._counters.reservations.end(self._reservation, how, *numbers)


class RiskChecker:
    """Checker of the orders of one terminal; counts those that it admits.

    Args:
        counter_book: of all accounts, shared by all terminals.
        history: tells the orders that were sent before the daemon was started.

    """

    def __init__(
        self, counter_book: CounterBook | None = None, history: History | None = None
    ) -> None:
        self.sessions = SessionTables()
        self._counter_book = counter_book or CounterBook()
        self._plans = Plans()
        self._history = history
        self._asked: tuple[AccountCounters, Flights] | None = None

    def anew(self) -> RiskChecker:
        """Return a new checker of the same terminal that shares no running query with this one."""
        return RiskChecker(self._counter_book, self._history)

    def counters(self, terminal: GuardedTerminal) -> AccountCounters:
        """Return what counts of the terminal's account."""
        return self._counter_book.of(terminal)

    async def admit(
        self,
        terminal: GuardedTerminal,
        order: PreparedOrder,
        symbols: SymbolNames,
        held: HeldOrderList,
    ) -> OrderAdmission:
        """Check an order, and take its part of the limits, unless it is to be validated alone.

        Nothing is awaited between the last look at the limits and that.

        Raises:
            GatewayError: a check failed: ``data.rule`` names it, and ``data.limit`` and
                ``data.value`` say by how much.

        """
        plan = self._plans.plan(OrderEffect.of(order), terminal.limits())
        sources = FactSources(terminal, symbols, held)
        for _ in range(MAX_LOOKS):
            # looked up at each try: the terminal may be in another account by now
            counters = self.counters(terminal)
            flights = self._flights(counters)
            # what ends from that moment on is kept as doubtful, as long as somebody looks
            with counters.reservations.looking(flights.earliest()):
                context = await self._context(sources, order, plan, counters, flights)
                # the terminal may have been logged in elsewhere while the facts came: they are
                # those of another account then
                if self.counters(terminal) is not counters:
                    continue
                try:
                    plan.check(context)
                except StaleFacts:
                    continue
                # no await since the facts were had: orders beside this one count in full
                return self._take(context, counters)
        raise RiskLimit(
            "Too many orders come and go to tell what is left of the limits: try again",
            rule="unsettled",
            limit=MAX_LOOKS,
            value=MAX_LOOKS,
        )

    def _flights(self, counters: AccountCounters) -> Flights:
        # answers on their way are shared; after a login elsewhere they are another account's
        if self._asked is None or self._asked[0] is not counters:
            self._asked = (counters, Flights(lambda: counters.reservations.moment))
        return self._asked[1]

    async def _context(
        self,
        sources: FactSources,
        order: PreparedOrder,
        plan: Plan,
        counters: AccountCounters,
        flights: Flights,
    ) -> RiskContext:
        """Learn what is needed; once it is there nothing may be awaited."""
        terminal = sources.terminal
        limits, needs, symbol = plan.limits, plan.needs(order), order.request.symbol
        self._count_earlier_orders(terminal, limits, counters)
        is_new = OrderEffect.of(order) is OrderEffect.OPEN
        week = await self.sessions.week(terminal, symbol) if is_new else None
        facts = NOTHING
        if needs:
            symbols = counters.reservations.symbols() if "worth" in needs else ()
            facts = await learn(sources, order, needs, flights=flights, symbols=symbols)
        surely, doubtful = _beside(counters, terminal, facts)
        return RiskContext(
            terminal=terminal,
            order=order,
            limits=limits,
            facts=facts,
            rate=counters.rate,
            week=week,
            surely=surely,
            doubtful=doubtful,
            unresolved=counters.reservations.unresolved(symbol),
        )

    def _count_earlier_orders(
        self, terminal: GuardedTerminal, limits: TradingLimits, counters: AccountCounters
    ) -> None:
        """Count what the account was sent before the daemon was started, once a limit asks for
        that.

        Raises:
            InternalError: the journal cannot be read, so nobody knows how many there were.

        """
        # once for each account, and only when a limit counts the past: it is a query over a week
        if self._history is None or counters.is_earlier_counted or not limits.counts_the_past:
            return
        now_ms = terminal.now_ms()
        past = self._history(terminal, now_ms - PAST_MS)
        counters.rate.count_earlier(past, terminal.clock.broker_now_ms, now_ms)
        counters.is_earlier_counted = True

    def _take(self, context: RiskContext, counters: AccountCounters) -> OrderAdmission:
        options, limits = context.order.options, context.limits
        if options.validate_only:
            return OrderAdmission(counters, context.order)
        # also for changes: the bucket is about what the broker is sent, not about risk
        if limits.orders_per_second is not None:
            counters.rate.consume(float(limits.orders_per_second), limits.order_burst or 1)
        added = context.exposure
        if context.is_netting_close:
            closing = _closing(context.order, added)
            counters.reservations.hold(closing)
            return OrderAdmission(counters, context.order, closing)
        if context.kind is not OrderEffect.OPEN:
            return OrderAdmission(counters, context.order)
        reservation = Reservation(
            client_order_id=options.client_order_id,
            symbol=added.symbol,
            volume=added.volume,
            buys=added.buys,
            waits=added.waits,
            margin=context.margin if limits.check_margin else Decimal(),
            before=_listed(context.facts),
        )
        counters.reservations.hold(reservation)
        return OrderAdmission(
            counters, context.order, reservation, counters.rate.count(context.stamp)
        )


def _closing(order: PreparedOrder, taken: Exposure) -> Reservation:
    """Return what counts of the close of a netting position, until that is gone from the lists."""
    named = (order.request.position, order.closes)
    return Reservation(
        client_order_id=order.options.client_order_id,
        symbol=taken.symbol,
        volume=taken.volume,
        buys=taken.buys,
        waits=False,
        tickets=frozenset(ticket for ticket in named if ticket),
        closes=True,
    )


def _beside(
    counters: AccountCounters, terminal: GuardedTerminal, facts: AccountFacts
) -> tuple[list[Reservation], list[Reservation]]:
    # without the lists no rule needs to know what stands beside the order
    if not facts.has("positions"):
        return [], []
    return counters.reservations.beside(facts.asked, _listed(facts), terminal.name)


def _listed(facts: AccountFacts) -> Listed:
    if not facts.has("positions"):
        return {}
    try:
        return listed(facts.positions, facts.orders)
    except GatewayError:
        return {}  # the check that needs the lists will raise it
