"""Direction, volume and prices of a prepared order, new or a change."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import BUYS, OrderType, Position, PositionType, TradeAction
from gateway.trading.price_grid import exact
from gateway.trading.requests import PreparedOrder

STOP_LIMITS = frozenset({OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT})
WITH_STOPS = frozenset(
    {TradeAction.DEAL, TradeAction.PENDING, TradeAction.MODIFY, TradeAction.SLTP}
)
"""Requests that have a stop loss and a take profit."""


def buys(order: PreparedOrder) -> bool:
    """Return the direction of an order; of a change, that of what is changed."""
    held = order.changes
    if isinstance(held, Position):
        return held.type == PositionType.BUY
    return order.request.type in BUYS


def market(order: PreparedOrder) -> float:
    """Return what the order would be filled at now; 0 without a quote."""
    info = order.symbol
    if info is None:
        return 0.0
    return info.ask if buys(order) else info.bid


def entry(order: PreparedOrder) -> float:
    """Return where the position begins: at the market, at an order's own price, or at the limit
    of one that a stop triggers.
    """
    held = order.changes
    if isinstance(held, Position):
        return held.price_open
    if order.request.type in STOP_LIMITS:
        return order.request.stoplimit
    return order.request.price or market(order)


def volume(order: PreparedOrder) -> Decimal:
    """Return the lots of an order, or of the position whose stops are changed."""
    held = order.changes
    return exact(held.volume if isinstance(held, Position) else order.request.volume)


def direction(order: PreparedOrder) -> OrderType:
    """Return the kind of market order that it comes down to."""
    return OrderType.BUY if buys(order) else OrderType.SELL
