"""Checks of prices: quotes, the price grid, the right side of the market, stops, freezing."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import (
    OrderFlag,
    OrderTime,
    PositionType,
    SymbolExecution,
    SymbolInfo,
    TradeAction,
    TradeRetcode,
)

from .inquiry import LIMITS, STOP_LIMITS, Bench, Inquiry
from .money import exact, on_grid, rounded
from .valuation import BUYS


def quoted(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10021: nobody quotes the symbol."""
    return TradeRetcode.PRICE_OFF if inquiry.tick is None else None


def session_runs(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10018: outside the symbol's trade session."""
    is_open = bench.valuation.prices.is_open(inquiry.symbol.name, inquiry.now_msc)
    return None if is_open else TradeRetcode.MARKET_CLOSED


def deal_price_valid(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10015, 10004: INSTANT and REQUEST execution want a price, within ``deviation`` points of
    the market. In the other modes the server takes its own price and the request's is ignored.
    """
    symbol, request = inquiry.symbol, inquiry.request
    if symbol.trade_exemode not in (SymbolExecution.INSTANT, SymbolExecution.REQUEST):
        return None
    if request.price == 0 or not _on_grid(symbol, request.price):
        return TradeRetcode.INVALID_PRICE
    away = abs(exact(request.price) - exact(inquiry.market_price))
    near = round(away / exact(symbol.point)) <= request.deviation
    return None if near else TradeRetcode.REQUOTE


def pending_price_valid(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10015: off the grid, on the wrong side of the market, or nearer than the stops level.

    A buy limit waits below the ask and a buy stop above it; a sell limit above the bid and a
    sell stop below it. A buy stop-limit places its limit below its own price, a sell above.
    """
    symbol, request = inquiry.symbol, inquiry.request
    kind = request.type if inquiry.order is None else inquiry.order.type
    if request.price <= 0 or not _on_grid(symbol, request.price):
        return TradeRetcode.INVALID_PRICE
    buying = kind in BUYS
    tick = inquiry.known_tick
    market = _price(symbol, tick.ask if buying else tick.bid)
    below = buying == (kind in LIMITS)
    gap = market - exact(request.price) if below else exact(request.price) - market
    if not _far_enough(symbol, gap):
        return TradeRetcode.INVALID_PRICE
    if kind in STOP_LIMITS and not _stoplimit_valid(inquiry, buying):
        return TradeRetcode.INVALID_PRICE
    return None


def _far_enough(symbol: SymbolInfo, gap: Decimal) -> bool:
    return gap > 0 and gap >= exact(symbol.point) * symbol.trade_stops_level


def _stoplimit_valid(inquiry: Inquiry, buying: bool) -> bool:
    request, symbol = inquiry.request, inquiry.symbol
    if request.stoplimit <= 0 or not _on_grid(symbol, request.stoplimit):
        return False
    gap = exact(request.price) - exact(request.stoplimit)
    gap = gap if buying else -gap
    return _far_enough(symbol, gap)


def stops_valid(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10016: SL or TP off the grid, on the wrong side, too near, or not allowed by the symbol.

    They are measured from the price that would close the position now (bid for a long one), or
    from the pending order's own price.
    """
    symbol, request = inquiry.symbol, inquiry.request
    long, base = _closing_base(inquiry)
    for price, flag in ((request.sl, OrderFlag.SL), (request.tp, OrderFlag.TP)):
        if price == 0:
            continue
        gap = base - exact(price) if (flag == OrderFlag.SL) == long else exact(price) - base
        allowed = symbol.order_mode is None or bool(symbol.order_mode & flag)
        if not allowed or not _on_grid(symbol, price) or not _far_enough(symbol, gap):
            return TradeRetcode.INVALID_STOPS
    return None


def _closing_base(inquiry: Inquiry) -> tuple[bool, Decimal]:
    """Return whether the position is (or would be) long, and what stops are measured from."""
    request, tick = inquiry.request, inquiry.known_tick
    if request.action in (TradeAction.PENDING, TradeAction.MODIFY):
        kind = request.type if inquiry.order is None else inquiry.order.type
        own = request.stoplimit if kind in STOP_LIMITS else request.price
        return kind in BUYS, exact(own)
    if request.action == TradeAction.SLTP and inquiry.target is not None:
        long = inquiry.target.position.type == PositionType.BUY
    else:
        long = inquiry.buying
    return long, _price(inquiry.symbol, tick.bid if long else tick.ask)


def position_not_frozen(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10029: the market is within the freeze level of the position's SL or TP."""
    target, symbol = inquiry.target, inquiry.symbol
    if target is None or symbol.trade_freeze_level == 0:
        return None
    position, tick = target.position, inquiry.known_tick
    now = _price(symbol, tick.bid if position.type == PositionType.BUY else tick.ask)
    return _frozen(symbol, now, (position.sl, position.tp))


def order_not_frozen(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10029: the market is within the freeze level of the pending order's price."""
    order, symbol = inquiry.order, inquiry.symbol
    if order is None or inquiry.tick is None or symbol.trade_freeze_level == 0:
        return None
    now = _price(symbol, inquiry.tick.ask if order.type in BUYS else inquiry.tick.bid)
    return _frozen(symbol, now, (order.price_open,))


def _frozen(symbol: SymbolInfo, now: Decimal, prices: tuple[float, ...]) -> TradeRetcode | None:
    level = exact(symbol.point) * symbol.trade_freeze_level
    near = any(price and abs(exact(price) - now) <= level for price in prices)
    return TradeRetcode.FROZEN if near else None


def stops_really_change(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10025: the position has these stops already."""
    if inquiry.target is None:
        return None
    position, request = inquiry.target.position, inquiry.request
    same = (position.sl, position.tp) == _normal(inquiry, request.sl, request.tp)
    return TradeRetcode.NO_CHANGES if same else None


def order_really_changes(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10025: the order has all that already."""
    order, request = inquiry.order, inquiry.request
    if order is None:
        return None
    ends = request.type_time in (OrderTime.SPECIFIED, OrderTime.SPECIFIED_DAY)
    wanted: tuple[float, ...] = (
        *_normal(inquiry, request.price, request.sl, request.tp),
        request.type_time,
        request.expiration if ends else 0,
    )
    has: tuple[float, ...] = (
        order.price_open,
        order.sl,
        order.tp,
        order.type_time,
        order.time_expiration,
    )
    if order.type in STOP_LIMITS:
        wanted = (*wanted, *_normal(inquiry, request.stoplimit))
        has = (*has, order.price_stoplimit)
    return TradeRetcode.NO_CHANGES if wanted == has else None


def _normal(inquiry: Inquiry, *prices: float) -> tuple[float, ...]:
    return tuple(float(_price(inquiry.symbol, price)) for price in prices)


def _price(symbol: SymbolInfo, price: float) -> Decimal:
    return rounded(exact(price), symbol.digits)


def _on_grid(symbol: SymbolInfo, price: float) -> bool:
    return on_grid(price, symbol.trade_tick_size or symbol.point)
