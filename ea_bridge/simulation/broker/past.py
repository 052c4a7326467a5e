"""What the account's history shows: past orders, deals, MetaTrader 4's closed trades."""

from __future__ import annotations

from dataclasses import dataclass

from ea_bridge.model import Deal, Order

from .ledger import Ledger


@dataclass(frozen=True)
class ClosedTrade:
    """A line of MetaTrader 4's account history: the order and its money."""

    order: Order
    profit: float
    swap: float
    commission: float


def orders(
    ledger: Ledger,
    from_s: int | None,
    to_s: int | None,
    ticket: int | None,
    position: int | None,
) -> list[Order]:
    """Return past orders by the time they ended, both ends included; of a number by the number."""
    past = ledger.past_orders
    if ticket is not None:
        found = [past[ticket]] if ticket in past else []
    elif position is not None:
        found = past.with_number("position", position)
        if position:
            found += past.with_number("position_by", position)
    else:
        found = past.within(from_s, to_s)
    fitting = {
        one.ticket: one
        for one in found
        if _within(one.time_done, from_s, to_s)
        and position in (None, one.position_id, one.position_by_id or None)
    }
    return sorted(fitting.values(), key=lambda one: (one.time_done_msc, one.ticket))


def deals(
    ledger: Ledger,
    from_s: int | None,
    to_s: int | None,
    order: int | None,
    position: int | None,
) -> list[Deal]:
    """Return deals by their time, both ends included; of a number by the number."""
    kept = ledger.deals
    if order is not None:
        found = kept.with_number("order", order)
    elif position is not None:
        found = kept.with_number("position", position)
    else:
        found = kept.within(from_s, to_s)
    return [
        one
        for one in found
        if _within(one.time, from_s, to_s) and position in (None, one.position_id)
    ]


def closed_trade(ledger: Ledger, order: Order) -> ClosedTrade | None:
    """Return what a past order of MetaTrader 4 brought; ``None`` if it was no trade."""
    found = ledger.deals.with_number("position", order.ticket)
    return (
        ClosedTrade(order, found[-1].profit, found[-1].swap, found[-1].commission)
        if found
        else None
    )


def _within(time_s: int, from_s: int | None, to_s: int | None) -> bool:
    return (from_s is None or from_s <= time_s) and (to_s is None or time_s <= to_s)
