"""What a trade is about: a direction, a volume, a price, whether it is new or a change."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import OrderType, Position, PositionType, TradeAction
from gateway.trading.grid import exact
from gateway.trading.refusals import BUYS
from gateway.trading.requests import PreparedOrder

STOP_LIMITS = frozenset({OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT})
WITH_STOPS = frozenset(
    {TradeAction.DEAL, TradeAction.PENDING, TradeAction.MODIFY, TradeAction.SLTP}
)
"""Requests that have a stop loss and a take profit."""


def buys(trade: PreparedOrder) -> bool:
    """Return the direction of an order; of a change, that of what is changed."""
    held = trade.changes
    if isinstance(held, Position):
        return held.type == PositionType.BUY
    return trade.request.type in BUYS


def market(trade: PreparedOrder) -> float:
    """Return what the order would be filled at now; 0 without a quote."""
    info = trade.symbol
    if info is None:
        return 0.0
    return info.ask if buys(trade) else info.bid


def entry(trade: PreparedOrder) -> float:
    """Return where the position begins: at the market, at an order's own price, or at the limit
    of one that a stop triggers.
    """
    held = trade.changes
    if isinstance(held, Position):
        return held.price_open
    if trade.request.type in STOP_LIMITS:
        return trade.request.stoplimit
    return trade.request.price or market(trade)


def volume(trade: PreparedOrder) -> Decimal:
    """Return the lots of an order, or of the position whose stops are changed."""
    held = trade.changes
    return exact(held.volume if isinstance(held, Position) else trade.request.volume)


def direction(trade: PreparedOrder) -> OrderType:
    """Return the kind of market order that it comes down to."""
    return OrderType.BUY if buys(trade) else OrderType.SELL
