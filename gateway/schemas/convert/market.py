"""Symbols, ticks, bars, the order book."""

from __future__ import annotations

from collections.abc import Iterable

from ea_bridge import model
from gateway import schemas as shapes
from gateway.broker_time.clock import BrokerClock
from gateway.schemas.enums import Timeframe

from . import enums
from .account import missing
from .enums import Words, flags

MT4_SYMBOL_LACKS = (
    "custom",
    "chart_mode",
    "ticks_bookdepth",
    "trade_calc_mode",
    "margin_hedged_use_leg",
    "expiration_mode",
    "filling_mode",
    "order_mode",
    "order_gtc_mode",
    "trade_tick_value_profit",
    "trade_tick_value_loss",
    "volume_limit",
)


def symbol_info(info: model.SymbolInfo, clock: BrokerClock, platform: str) -> shapes.SymbolInfo:
    """``SymbolInfo*``. Prices, times and limits of 0 mean that there is none."""
    option = info.trade_calc_mode in (
        model.SymbolCalcMode.EXCH_OPTIONS,
        model.SymbolCalcMode.EXCH_OPTIONS_MARGIN,
    )
    return {
        "name": info.name,
        "description": info.description,
        "path": info.path,
        "custom": info.custom,
        "chart_mode": _word(enums.SYMBOL_CHART_MODE, info.chart_mode),
        "select": info.select,
        "visible": info.visible,
        "digits": info.digits,
        "point": info.point,
        "spread": info.spread,
        "spread_float": info.spread_float,
        "trade_calc_mode": _word(enums.SYMBOL_CALC_MODE, info.trade_calc_mode),
        "trade_mode": enums.SYMBOL_TRADE_MODE[info.trade_mode],
        "trade_exemode": enums.SYMBOL_EXECUTION[info.trade_exemode],
        "trade_stops_level": info.trade_stops_level,
        "trade_freeze_level": info.trade_freeze_level,
        "trade_contract_size": info.trade_contract_size,
        "trade_tick_size": info.trade_tick_size,
        "trade_tick_value": info.trade_tick_value,
        "trade_tick_value_profit": info.trade_tick_value_profit,
        "trade_tick_value_loss": info.trade_tick_value_loss,
        "trade_accrued_interest": info.trade_accrued_interest,
        "trade_face_value": info.trade_face_value,
        "trade_liquidity_rate": info.trade_liquidity_rate,
        "volume_min": info.volume_min,
        "volume_max": info.volume_max,
        "volume_step": info.volume_step,
        "volume_limit": info.volume_limit or None,
        "filling_mode": _flags(enums.FILLING_FLAG, info.filling_mode),
        "expiration_mode": _flags(enums.EXPIRATION_FLAG, info.expiration_mode),
        "order_mode": _flags(enums.ORDER_FLAG, info.order_mode),
        "order_gtc_mode": _word(enums.SYMBOL_GTC_MODE, info.order_gtc_mode),
        "swap_mode": enums.SYMBOL_SWAP_MODE[info.swap_mode],
        "swap_long": info.swap_long,
        "swap_short": info.swap_short,
        "swap_rollover3days": enums.DAY_OF_WEEK[info.swap_rollover3days],
        "margin_initial": info.margin_initial,
        "margin_maintenance": info.margin_maintenance,
        "margin_hedged": info.margin_hedged,
        "margin_hedged_use_leg": info.margin_hedged_use_leg,
        "currency_base": info.currency_base,
        "currency_profit": info.currency_profit,
        "currency_margin": info.currency_margin,
        "bank": info.bank,
        "exchange": info.exchange,
        "category": info.category,
        "basis": info.basis,
        "formula": info.formula,
        "isin": info.isin,
        "page": info.page,
        "ticks_bookdepth": info.ticks_bookdepth,
        "option_mode": enums.OPTION_MODE[info.option_mode] if option else None,
        "option_right": enums.OPTION_RIGHT[info.option_right] if option else None,
        "option_strike": info.option_strike,
        "start_time": _utc(clock, info.start_time),
        "expiration_time": _utc(clock, info.expiration_time),
        "bid": info.bid or None,
        "bidhigh": info.bidhigh or None,
        "bidlow": info.bidlow or None,
        "ask": info.ask or None,
        "askhigh": info.askhigh or None,
        "asklow": info.asklow or None,
        "last": info.last or None,
        "lasthigh": info.lasthigh or None,
        "lastlow": info.lastlow or None,
        "volume": info.volume,
        "volumehigh": info.volumehigh,
        "volumelow": info.volumelow,
        "volume_real": info.volume_real,
        "volumehigh_real": info.volumehigh_real,
        "volumelow_real": info.volumelow_real,
        "time": _utc(clock, info.time),
        "broker_time": info.time * 1000 or None,
        "session_deals": info.session_deals,
        "session_buy_orders": info.session_buy_orders,
        "session_sell_orders": info.session_sell_orders,
        "session_volume": info.session_volume,
        "session_turnover": info.session_turnover,
        "session_interest": info.session_interest,
        "session_buy_orders_volume": info.session_buy_orders_volume,
        "session_sell_orders_volume": info.session_sell_orders_volume,
        "session_open": info.session_open or None,
        "session_close": info.session_close or None,
        "session_aw": info.session_aw or None,
        "session_price_settlement": info.session_price_settlement or None,
        "session_price_limit_min": info.session_price_limit_min or None,
        "session_price_limit_max": info.session_price_limit_max or None,
        "price_change": info.price_change,
        "price_volatility": info.price_volatility,
        "price_theoretical": info.price_theoretical,
        "price_greeks_delta": info.price_greeks_delta,
        "price_greeks_theta": info.price_greeks_theta,
        "price_greeks_gamma": info.price_greeks_gamma,
        "price_greeks_vega": info.price_greeks_vega,
        "price_greeks_rho": info.price_greeks_rho,
        "price_greeks_omega": info.price_greeks_omega,
        "price_sensitivity": info.price_sensitivity,
        "unavailable": missing(info, MT4_SYMBOL_LACKS, platform),
    }


def _word(table: Words, number: int | None) -> str | None:
    return None if number is None else table[number]


def _flags(table: Words, mask: int | None) -> list[str] | None:
    return None if mask is None else flags(table, mask)


def _utc(clock: BrokerClock, broker_s: int) -> int | None:
    return clock.to_utc_ms(broker_s * 1000) if broker_s else None


def tick(symbol: str, given: model.Tick, clock: BrokerClock) -> shapes.Tick:
    """A tick with its symbol. Prices of 0 mean that there is none yet."""
    return {
        "symbol": symbol,
        "bid": given.bid or None,
        "ask": given.ask or None,
        "last": given.last or None,
        "volume": _tick_volume(given),
        "flags": given.flags,
        "time": clock.to_utc_ms(given.time_msc),
        "broker_time": given.time_msc,
    }


def history_tick(given: model.Tick, clock: BrokerClock) -> shapes.HistoryTick:
    """A tick of a list whose symbol is said once."""
    return {
        "time": clock.to_utc_ms(given.time_msc),
        "broker_time": given.time_msc,
        "bid": given.bid or None,
        "ask": given.ask or None,
        "last": given.last or None,
        "volume": _tick_volume(given),
        "flags": given.flags,
    }


def _tick_volume(one: model.Tick) -> float | None:
    return (one.volume_real or float(one.volume)) if one.last else None


def bar(one: model.Bar, clock: BrokerClock) -> shapes.Bar:
    """A bar of a list whose symbol and timeframe are said once."""
    broker_ms = one.time * 1000
    return {
        "time": clock.to_utc_ms(broker_ms),
        "broker_time": broker_ms,
        "open": one.open,
        "high": one.high,
        "low": one.low,
        "close": one.close,
        "tick_volume": one.tick_volume,
        "spread": one.spread,
        "real_volume": one.real_volume,
    }


def bar_event(
    symbol: str, timeframe: Timeframe, one: model.Bar, clock: BrokerClock, *, closed: bool
) -> shapes.BarEvent:
    """A bar by itself."""
    broker_ms = one.time * 1000
    return {
        "symbol": symbol,
        "timeframe": timeframe,
        "closed": closed,
        "time": clock.to_utc_ms(broker_ms),
        "broker_time": broker_ms,
        "open": one.open,
        "high": one.high,
        "low": one.low,
        "close": one.close,
        "tick_volume": one.tick_volume,
        "spread": one.spread,
        "real_volume": one.real_volume,
    }


def book(
    symbol: str, entries: Iterable[model.BookEntry], time_msc: int, clock: BrokerClock
) -> shapes.Book:
    """A whole order book, highest price first; ``time_msc`` 0 means that nobody said."""
    return {
        "symbol": symbol,
        "levels": [
            {"type": enums.BOOK_TYPE[e.type], "price": e.price, "volume": e.volume}
            for e in sorted(entries, key=lambda e: e.price, reverse=True)
        ],
        "time": clock.to_utc_ms(time_msc) if time_msc else None,
        "broker_time": time_msc or None,
    }


def sessions(table: Iterable[model.TradeSession]) -> list[shapes.TradeSession]:
    """A symbol's trade sessions."""
    return [
        {
            "day": enums.DAY_OF_WEEK[session.day],
            "from_s": session.from_s,
            "to_s": session.to_s,
        }
        for session in table
    ]
