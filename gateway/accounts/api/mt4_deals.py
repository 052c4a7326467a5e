"""The deals of an account on MetaTrader 4, which keeps none.

There a trade is one order from its opening to its close. What MetaTrader 5 would have kept of it
are two deals: one that opened it, and one that closed it and carries its money. Both have the
number of the order, as ``ticket``, ``order`` and ``position_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ea_bridge.model import Deal, DealEntry, DealType, Order, Position
from gateway.trading.history import is_closed_trade

_OPPOSITE = {DealType.BUY: DealType.SELL, DealType.SELL: DealType.BUY}


def deals_of(
    past: Iterable[Order], positions: Iterable[Position], from_s: int, to_s: int
) -> list[Deal]:
    """Return the deals within a time, oldest first.

    Args:
        past: the orders that ended within it: closed trades count, deleted orders do not.
        positions: those that are open.
        from_s: seconds of the broker's clock, included.
        to_s: the same.

    """
    closed = {one.ticket: one for one in past if is_closed_trade(one)}
    # one that was closed between the two questions is in both answers
    still_open = [one for one in positions if one.ticket not in closed]
    deals = [*map(_opened, still_open), *(deal for one in closed.values() for deal in _both(one))]
    within = [one for one in deals if from_s <= one.time <= to_s]
    return sorted(within, key=lambda one: (one.time_msc, one.ticket, one.entry))


def _opened(position: Position) -> Deal:
    return Deal(
        ticket=position.ticket,
        order=position.ticket,
        position_id=position.ticket,
        time=position.time,
        time_msc=position.time_msc or position.time * 1000,
        type=position.type,
        entry=DealEntry.IN,
        magic=position.magic,
        volume=position.volume,
        price=position.price_open,
        symbol=position.symbol,
        comment=position.comment,
        paper=position.paper,
    )


def _both(order: Order) -> Iterator[Deal]:
    def deal(entry: DealEntry, at_s: int, at_msc: int, type_: int, price: float) -> Deal:
        is_out = entry == DealEntry.OUT
        return Deal(
            ticket=order.ticket,
            order=order.ticket,
            position_id=order.ticket,
            time=at_s,
            time_msc=at_msc or at_s * 1000,
            type=type_,
            entry=entry,
            magic=order.magic,
            volume=order.volume_initial,
            price=price,
            commission=(order.commission or 0.0) if is_out else 0.0,
            swap=(order.swap or 0.0) if is_out else 0.0,
            profit=(order.profit or 0.0) if is_out else 0.0,
            symbol=order.symbol,
            comment=order.comment,
            paper=order.paper,
        )

    yield deal(DealEntry.IN, order.time_setup, order.time_setup_msc, order.type, order.price_open)
    way_out = _OPPOSITE[DealType(order.type)]
    yield deal(DealEntry.OUT, order.time_done, order.time_done_msc, way_out, order.price_current)
