"""Sweeps as they happen: whether one has ended what it was to end, and named what it has not."""

from __future__ import annotations

from dataclasses import dataclass, field

from ea_bridge.model import DealEntry, Order, OrderType, Position
from ea_bridge.simulation.broker import Broker

from .intents import Intent, Json, Reply

BUYS = frozenset(
    {OrderType.BUY, OrderType.BUY_LIMIT, OrderType.BUY_STOP, OrderType.BUY_STOP_LIMIT}
)
"""Types of orders that buy; a long position has the first of them."""


@dataclass
class SweepJudge:
    """Looks at an account before and after each of its sweeps."""

    broker: Broker
    wrong: list[str] = field(default_factory=list)
    swept: int = 0

    def begin(self, intent: Intent) -> _Sweep:
        """A bot is about to ask for a sweep."""
        return _Sweep(self, intent, self.meant(intent), self.broker.books.next_deal_ticket)

    def meant(self, intent: Intent) -> dict[int, str]:
        """Return the tickets that a sweep is to end now, and their symbols."""
        of_orders = intent.method == "cancel_all_orders"
        there = self.broker.orders() if of_orders else self.broker.positions()
        return {one.ticket: one.symbol for one in there if _is_meant(intent.params, one)}

    def grown(self, first_deal: int) -> set[str]:
        """Return the symbols of a netting account whose position has grown since a deal."""
        if self.broker.terms.hedging:
            return set()
        books = self.broker.books
        deals = (books.deals.get(one) for one in range(first_deal, books.next_deal_ticket))
        return {one.symbol for one in deals if one is not None and one.entry != DealEntry.OUT}


@dataclass
class _Sweep:
    """One call of a sweep, on its way."""

    judge: SweepJudge
    intent: Intent
    before: dict[int, str]
    first_deal: int
    """Ticket of the first that may be made meanwhile."""

    def end(self, reply: Reply) -> None:
        """Its answer has come, and nothing has happened since."""
        if reply.outcome != "done" or reply.duplicate or reply.paper:
            return
        self.judge.swept += 1
        cancelled, closed, failed = reply.swept
        assert isinstance(failed, tuple)
        named = {ticket for _, ticket, _ in failed}
        # what has grown meanwhile, on a netting account, is not what was swept
        grown = self.judge.grown(self.first_deal)
        left = {
            ticket
            for ticket, symbol in self.judge.meant(self.intent).items()
            if ticket in self.before and symbol not in grown
        }
        ended = self._tickets(cancelled) | self._tickets(closed)
        said = f"{self.intent.id} {self.intent.method} {self.intent.params} told {reply.swept}"
        if left - named:
            self.judge.wrong.append(f"{said}: {sorted(left - named)} are there and not named")
        if left & ended:
            self.judge.wrong.append(f"{said}: {sorted(left & ended)} are there and called ended")

    def _tickets(self, told: object) -> set[int]:
        assert isinstance(told, tuple)
        return set(told)


def _is_meant(params: Json, one: Order | Position) -> bool:
    side = "buy" if one.type in BUYS else "sell"
    return (
        params.get("symbol") in (None, one.symbol)
        and params.get("magic") in (None, one.magic)
        and params.get("side") in (None, side)
    )
