"""Checks against the account: what it holds, what it may hold, what it can pay."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import Order, PositionType, TradeRetcode

from .exposure import affordable, opened_volume
from .inquiry import MARKET, PENDINGS, Bench, Inquiry
from .money import ZERO, exact
from .valuation import BUYS


def close_volume_valid(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10038: more than the position holds."""
    target = inquiry.target
    if target is None or exact(inquiry.request.volume) <= target.volume:
        return None
    return TradeRetcode.INVALID_CLOSE_VOLUME


def close_order_free(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10039: orders already on their way close too much of the position for one more."""
    for holding in (inquiry.target, inquiry.opposite):
        if holding is None:
            continue
        waiting = _closing_volume(bench, holding.position.ticket)
        asked = exact(inquiry.request.volume) if inquiry.opposite is None else ZERO
        if waiting > 0 and waiting + (asked or holding.volume) > holding.volume:
            return TradeRetcode.CLOSE_ORDER_EXIST
    return None


def _closing_volume(bench: Bench, ticket: int) -> Decimal:
    orders = bench.valuation.ledger.orders.values()
    return sum(
        (
            exact(one.volume_current)
            for one in orders
            if one.type in MARKET and one.position_id == ticket != one.ticket
        ),
        ZERO,
    )


def fifo_kept(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10045: an older position of the symbol has to be closed first."""
    target = inquiry.target
    if target is None or not bench.valuation.terms.fifo_close:
        return None
    oldest = bench.valuation.ledger.held(inquiry.symbol.name)[0]
    same = oldest.position.ticket == target.position.ticket
    return None if same else TradeRetcode.FIFO_CLOSE


def hedging_allowed(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10046: the account must not hold both directions of a symbol."""
    terms = bench.valuation.terms
    if not (terms.hedging and terms.hedging_prohibited) or inquiry.target is not None:
        return None
    opposite = PositionType.SELL if inquiry.buying else PositionType.BUY
    held = bench.valuation.ledger.held(inquiry.symbol.name)
    against = any(one.position.type == opposite for one in held)
    return TradeRetcode.HEDGE_PROHIBITED if against else None


def orders_below_limit(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10033: ``ACCOUNT_LIMIT_ORDERS`` pending orders are there already."""
    limit = bench.valuation.terms.limit_orders
    if limit == 0:
        return None
    pending = sum(one.type in PENDINGS for one in bench.valuation.ledger.orders.values())
    return TradeRetcode.LIMIT_ORDERS if pending >= limit else None


def positions_below_limit(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10040: one position more would be too many."""
    valuation = bench.valuation
    limit = valuation.terms.limit_positions
    if limit == 0 or len(valuation.ledger.holdings) < limit:
        return None
    new = valuation.terms.hedging or not valuation.ledger.held(inquiry.symbol.name)
    makes_one = new and opened_volume(valuation, inquiry.trade) > 0
    return TradeRetcode.LIMIT_POSITIONS if makes_one else None


def volume_below_limit(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10034: ``SYMBOL_VOLUME_LIMIT`` bounds positions and orders of one direction together."""
    limit = inquiry.symbol.volume_limit
    opened = opened_volume(bench.valuation, inquiry.trade)
    if not limit or opened == 0:
        return None
    taken = _volume_in_direction(bench, inquiry)
    return TradeRetcode.LIMIT_VOLUME if taken + opened > exact(limit) else None


def _volume_in_direction(bench: Bench, inquiry: Inquiry) -> Decimal:
    legs = bench.valuation.legs(inquiry.symbol.name)
    held = legs.long.volume if inquiry.buying else legs.short.volume

    def counts(order: Order) -> bool:
        return order.symbol == inquiry.symbol.name and (order.type in BUYS) == inquiry.buying

    orders = filter(counts, bench.valuation.ledger.orders.values())
    return held + sum((exact(one.volume_current) for one in orders), ZERO)


def money_suffices(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10019: free margin would fall below zero. 10021: no rate into the account's currency."""
    trade, valuation = inquiry.trade, bench.valuation
    if valuation.margin_rate(trade.symbol, buying=trade.buying) is None:
        return TradeRetcode.PRICE_OFF
    if valuation.profit_rate(trade.symbol, long=trade.buying) is None:
        return TradeRetcode.PRICE_OFF
    return None if affordable(valuation, trade) else TradeRetcode.NO_MONEY


def pending_margin_suffices(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10019 for a pending order: the share of the margin that orders reserve, often nothing."""
    share = bench.valuation.terms.pending_margin_rate
    if share == 0:
        return None
    trade, valuation = inquiry.trade, bench.valuation
    alone = valuation.margin(trade.symbol, trade.volume, trade.price, buying=trade.buying)
    if alone is None:
        return TradeRetcode.PRICE_OFF
    needed = valuation.used_margin() + alone * share
    return None if needed <= valuation.equity() else TradeRetcode.NO_MONEY
