"""Checks of what is asked for: order type, trade mode, volume, filling, expiration."""

from __future__ import annotations

from ea_bridge.model import (
    ExpirationFlag,
    FillingFlag,
    OrderFilling,
    OrderFlag,
    OrderTime,
    SymbolExecution,
    SymbolInfo,
    SymbolTradeMode,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)

from .exposure import opened_volume
from .inquiry import LIMITS, MARKET, PENDINGS, STOP_LIMITS, STOPS, Bench, Inquiry
from .money import on_grid

_DAY_MS = 86_400_000
MT4_SHORTEST_LIFE_MS = 600_000
"""Of a pending order with an expiration."""


def order_type_allowed(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10035: the type does not fit the action, the symbol forbids it, or MetaTrader 4 lacks it."""
    request = inquiry.request
    if request.action == TradeAction.CLOSE_BY:
        flag = OrderFlag.CLOSE_BY
    else:
        expected = MARKET if request.action == TradeAction.DEAL else PENDINGS
        if request.type not in expected:
            return TradeRetcode.INVALID_ORDER
        flag = _flag(request.type)
    if flag == OrderFlag.STOP_LIMIT and bench.valuation.terms.platform == "mt4":
        return TradeRetcode.INVALID_ORDER
    allowed = inquiry.symbol.order_mode
    if allowed is not None and not allowed & flag:
        return TradeRetcode.INVALID_ORDER
    return None


def _flag(order_type: int) -> OrderFlag:
    if order_type in LIMITS:
        return OrderFlag.LIMIT
    if order_type in STOPS:
        return OrderFlag.STOP
    return OrderFlag.STOP_LIMIT if order_type in STOP_LIMITS else OrderFlag.MARKET


def symbol_open_for_change(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10017: trading in the symbol is disabled altogether."""
    disabled = inquiry.symbol.trade_mode == SymbolTradeMode.DISABLED
    return TradeRetcode.TRADE_DISABLED if disabled else None


def symbol_tradable(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10017, 10042, 10043, 10044: the symbol's trade mode. Closing is always allowed but in the
    first; without a quote nothing can be closed, and the next checks say so.
    """
    mode = inquiry.symbol.trade_mode
    if mode == SymbolTradeMode.DISABLED:
        return TradeRetcode.TRADE_DISABLED
    if mode == SymbolTradeMode.FULL or _only_closes(bench, inquiry):
        return None
    if mode == SymbolTradeMode.CLOSEONLY:
        return TradeRetcode.CLOSE_ONLY
    if mode == SymbolTradeMode.LONGONLY and not inquiry.buying:
        return TradeRetcode.LONG_ONLY
    if mode == SymbolTradeMode.SHORTONLY and inquiry.buying:
        return TradeRetcode.SHORT_ONLY
    return None


def _only_closes(bench: Bench, inquiry: Inquiry) -> bool:
    if inquiry.request.action != TradeAction.DEAL or inquiry.tick is None:
        return False
    return opened_volume(bench.valuation, inquiry.trade) == 0


def volume_valid(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10014: below the minimum, above the maximum, or off the step."""
    volume, symbol = inquiry.request.volume, inquiry.symbol
    good = (
        volume > 0
        and symbol.volume_min <= volume
        and (symbol.volume_max == 0 or volume <= symbol.volume_max)
        and (symbol.volume_step == 0 or on_grid(volume, symbol.volume_step))
    )
    return None if good else TradeRetcode.INVALID_VOLUME


def filling_valid(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10030: the filling mode, an enum, is not in the symbol's bit mask.

    RETURN has no bit: always allowed for pending orders, and for market orders in every
    execution mode but MARKET. REQUEST and INSTANT execution ignore the mode. BOC is for limit
    and stop-limit orders. MetaTrader 4 has no choice.
    """
    symbol, request = inquiry.symbol, inquiry.request
    if symbol.filling_mode is None or bench.valuation.terms.platform == "mt4":
        return None
    return None if _filling_allowed(symbol, request) else TradeRetcode.INVALID_FILL


def _filling_allowed(symbol: SymbolInfo, request: TradeRequest) -> bool:
    mask, filling = symbol.filling_mode or 0, request.type_filling
    at_market = request.action == TradeAction.DEAL
    if filling == OrderFilling.BOC:
        waits = request.type in LIMITS | STOP_LIMITS
        return waits and bool(mask & FillingFlag.BOC)
    if filling == OrderFilling.RETURN:
        return not at_market or symbol.trade_exemode != SymbolExecution.MARKET
    if filling not in (OrderFilling.FOK, OrderFilling.IOC):
        return False
    if symbol.trade_exemode in (SymbolExecution.REQUEST, SymbolExecution.INSTANT):
        return True
    flag = FillingFlag.FOK if filling == OrderFilling.FOK else FillingFlag.IOC
    return bool(mask & flag)


_TIME_FLAGS = {
    OrderTime.GTC: ExpirationFlag.GTC,
    OrderTime.DAY: ExpirationFlag.DAY,
    OrderTime.SPECIFIED: ExpirationFlag.SPECIFIED,
    OrderTime.SPECIFIED_DAY: ExpirationFlag.SPECIFIED_DAY,
}


def expiration_valid(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10022: the lifetime is unknown, not allowed for the symbol, or over already. 10013: shorter
    than MetaTrader 4 takes it, which says "invalid trade parameters".
    """
    request, allowed = inquiry.request, inquiry.symbol.expiration_mode
    flag = _TIME_FLAGS.get(OrderTime(request.type_time)) if _known_time(request) else None
    if flag is None or (allowed is not None and not allowed & flag):
        return TradeRetcode.INVALID_EXPIRATION
    if request.type_time in (OrderTime.GTC, OrderTime.DAY):
        return None
    end_msc = request.expiration * 1000
    if request.type_time == OrderTime.SPECIFIED_DAY:
        end_msc = (end_msc // _DAY_MS + 1) * _DAY_MS
    if end_msc <= inquiry.now_msc:
        return TradeRetcode.INVALID_EXPIRATION
    is_kept = inquiry.order is not None and inquiry.order.time_expiration == request.expiration
    if bench.valuation.terms.platform == "mt4" and not is_kept:
        too_short = end_msc < inquiry.now_msc + MT4_SHORTEST_LIFE_MS
        return TradeRetcode.INVALID if too_short else None
    return None


def _known_time(request: TradeRequest) -> bool:
    return request.type_time in set(OrderTime)
