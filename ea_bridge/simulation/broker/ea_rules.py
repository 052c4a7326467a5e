"""What the EA does around the broker's own functions."""

from __future__ import annotations

from msgspec.structs import replace

from ea_bridge.model import Order, TradeAction, TradeRequest, TradeRetcode

from .money import exact
from .server import Broker


def closes_nothing(broker: Broker, request: TradeRequest) -> TradeRetcode | None:
    """Return why a deal that names a position would not close it on a netting account.

    See :class:`~ea_bridge.model.TradeRequest`. Deals on their way count as done.
    """
    if broker.terms.hedging or request.action != TradeAction.DEAL or not request.position:
        return None
    found = broker.positions(request.symbol, request.position)
    if not found:
        return TradeRetcode.POSITION_CLOSED
    if request.type == found[0].type:
        return TradeRetcode.INVALID
    waiting = [one for one in broker.orders(request.symbol) if one.type == request.type]
    volume = sum(exact(one.volume_current) for one in waiting) + exact(request.volume)
    too_much = volume > exact(found[0].volume)
    return TradeRetcode.INVALID_CLOSE_VOLUME if too_much else None


def past_orders(
    broker: Broker,
    from_s: int | None = None,
    to_s: int | None = None,
    ticket: int | None = None,
    position: int | None = None,
) -> list[Order]:
    """Return past orders; on MetaTrader 4 closed trades too, with the money that they brought."""
    orders = broker.history_orders(from_s, to_s, ticket, position)
    if broker.terms.platform == "mt5":
        return orders
    return [
        replace(one, profit=trade.profit, swap=trade.swap, commission=trade.commission)
        if (trade := broker.closed_trade(one)) is not None
        else one
        for one in orders
    ]
