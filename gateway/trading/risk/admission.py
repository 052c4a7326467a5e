"""The checks of one terminal, which count together with those of its account's others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from ea_bridge.model import TradeResult
from gateway.errors import GatewayError, RiskLimit
from gateway.trading.requests import PreparedOrder
from gateway.trading.sessions import SessionTables
from gateway.trading.symbols import SymbolNames
from gateway.trading.terminal import GuardedTerminal

from ..limits import Limits
from .asking import FactSources, HeldOrderList, learn
from .case import Case, Kind, LookAgain, tickets
from .facts import Facts, Flights
from .pace import PAST_MS, SentOrder, Step
from .reservations import End, Reservation
from .rules import Plan, Plans
from .tally import Tallies, Tally

MAX_LOOKS = 20
"""How often facts are asked for again while other orders come and go."""
NOTHING = Facts(0, {})

History = Callable[["GuardedTerminal", int], Iterable[SentOrder]]
"""Returns the new orders that a terminal was sent since a moment, UTC milliseconds."""


class Pass:
    """A trade that may be sent. Tell it what became of it, so that others know what is left."""

    def __init__(
        self,
        tally: Tally,
        trade: PreparedOrder,
        reservation: Reservation | None = None,
        step: Step | None = None,
    ) -> None:
        self._tally = tally
        self._trade = trade
        self._reservation = reservation
        self._step = step

    @property
    def day(self) -> int | None:
        """The broker's day for which it is counted; ``None``: it is not."""
        return None if self._step is None else self._step.mark.day

    def done(self, result: TradeResult) -> None:
        """The broker took it."""
        for ticket in (self._trade.request.position, self._trade.request.position_by):
            if ticket:
                self._tally.reservations.closed(ticket)
        self._end("done", result.order, result.position)

    def shown(self) -> None:
        """It is in the lists by now, so it counts there: the gateway keeps it itself."""
        self._end("gone")

    def failed(self, error: BaseException) -> None:
        """It ended otherwise; if it was interrupted nobody knows how."""
        outcome = error.outcome if isinstance(error, GatewayError) else "unknown"
        self._end("gone" if outcome in ("not_sent", "rejected") else "unknown")
        if outcome == "not_sent" and self._step is not None:
            self._tally.pace.take_back(self._step)
            self._step = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While the trade is on its way: whatever ends it is told."""
        try:
            yield
        except BaseException as error:
            self.failed(error)
            raise

    def _end(self, how: End, *numbers: int) -> None:
        if self._reservation is not None:
            self._tally.reservations.end(self._reservation, how, *numbers)


class Checks:
    """Says yes or no to the trades of one terminal, and counts those that it said yes to.

    Args:
        tallies: of all accounts, shared by all terminals.
        history: tells the orders that were sent before the daemon was started.

    """

    def __init__(self, tallies: Tallies | None = None, history: History | None = None) -> None:
        self.sessions = SessionTables()
        self._tallies = tallies or Tallies()
        self._plans = Plans()
        self._history = history
        self._asked: tuple[Tally, Flights] | None = None

    def anew(self) -> Checks:
        """Return the checks of the same terminal that join no question which these have asked."""
        return Checks(self._tallies, self._history)

    def tally(self, terminal: GuardedTerminal) -> Tally:
        """Return what counts of the terminal's account."""
        return self._tallies.of(terminal)

    async def admit(
        self,
        terminal: GuardedTerminal,
        trade: PreparedOrder,
        symbols: SymbolNames,
        held: HeldOrderList,
    ) -> Pass:
        """Check a trade, and take its part of the limits, unless it is to be validated alone.

        Nothing is awaited between the last look at the limits and that.

        Raises:
            GatewayError: a check failed: ``data.rule`` names it, and ``data.limit`` and
                ``data.value`` say by how much.

        """
        plan = self._plans.plan(Kind.of(trade), terminal.limits())
        sources = FactSources(terminal, symbols, held)
        for _ in range(MAX_LOOKS):
            tally = self.tally(terminal)
            flights = self._flights(tally)
            with tally.reservations.looking(flights.earliest()):
                case = await self._case(sources, trade, plan, tally, flights)
                if self.tally(terminal) is not tally:
                    continue  # what was learnt is another account's
                try:
                    plan.judge(case)
                except LookAgain:
                    continue
                return self._take(case, tally)
        raise RiskLimit(
            "Too many orders come and go to tell what is left of the limits: try again",
            rule="unsettled",
            limit=MAX_LOOKS,
            value=MAX_LOOKS,
        )

    def _flights(self, tally: Tally) -> Flights:
        if self._asked is None or self._asked[0] is not tally:
            self._asked = (tally, Flights(lambda: tally.reservations.moment))
        return self._asked[1]

    async def _case(
        self,
        sources: FactSources,
        trade: PreparedOrder,
        plan: Plan,
        tally: Tally,
        flights: Flights,
    ) -> Case:
        """Learn what is needed; once it is there nothing may be awaited."""
        terminal = sources.terminal
        limits, needs, symbol = plan.limits, plan.needs(trade), trade.request.symbol
        self._recall(terminal, limits, tally)
        is_new = Kind.of(trade) is Kind.OPEN
        week = await self.sessions.week(terminal, symbol) if is_new else None
        facts = NOTHING
        if needs:
            symbols = tally.reservations.symbols() if "worth" in needs else ()
            facts = await learn(sources, trade, needs, flights=flights, symbols=symbols)
        surely, doubtful = _beside(tally, terminal, facts)
        return Case(
            terminal=terminal,
            trade=trade,
            limits=limits,
            facts=facts,
            pace=tally.pace,
            week=week,
            surely=surely,
            doubtful=doubtful,
            unresolved=tally.reservations.unresolved(symbol),
        )

    def _recall(self, terminal: GuardedTerminal, limits: Limits, tally: Tally) -> None:
        """Count what the account was sent before the daemon was started, once a limit asks for
        that.

        Raises:
            InternalError: the journal cannot be read, so nobody knows how many there were.

        """
        if self._history is None or tally.is_recalled or not limits.counts_the_past:
            return
        now_ms = terminal.now_ms()
        past = self._history(terminal, now_ms - PAST_MS)
        tally.pace.recall(past, terminal.clock.broker_now_ms, now_ms)
        tally.is_recalled = True

    def _take(self, case: Case, tally: Tally) -> Pass:
        options, limits = case.trade.options, case.limits
        if options.validate_only:
            return Pass(tally, case.trade)
        if limits.orders_per_second is not None:
            tally.pace.pour(float(limits.orders_per_second), limits.order_burst or 1)
        if case.kind is not Kind.OPEN:
            return Pass(tally, case.trade)
        added = case.exposure
        reservation = Reservation(
            client_order_id=options.client_order_id,
            symbol=added.symbol,
            volume=added.volume,
            buys=added.buys,
            waits=added.waits,
            margin=case.margin if limits.check_margin else Decimal(),
        )
        tally.reservations.hold(reservation)
        return Pass(tally, case.trade, reservation, tally.pace.step(case.mark))


def _beside(
    tally: Tally, terminal: GuardedTerminal, facts: Facts
) -> tuple[list[Reservation], list[Reservation]]:
    if not facts.has("positions"):
        return [], []
    try:
        listed = tickets(facts.positions, facts.orders)
    except GatewayError:
        return [], []  # the check that needs the lists will raise it
    return tally.reservations.beside(facts.asked, listed, terminal.name)
