"""Conversion of MetaTrader's nouns to what clients receive.

Integers become words, broker time becomes UTC milliseconds beside the raw value, and zeros that
mean "none" become null. Numbers themselves pass unchanged: the EA prints prices with the symbol's
digits, so that the nearest double prints the same again. Plain functions without look-ups beyond
a dictionary, since events take this way too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ea_bridge import model
from gateway import schemas as shapes
from gateway.broker_time.clock import BrokerClock
from gateway.errors import GatewayError
from gateway.schemas.enums import Timeframe

from . import enums
from .enums import Words, code, flags

__all__ = [
    "account_balance",
    "account_info",
    "bar",
    "bar_event",
    "book",
    "broker_offset",
    "check_result",
    "code",
    "deal",
    "flags",
    "history_tick",
    "order",
    "position",
    "refused_check",
    "retcode_name",
    "server_time",
    "sessions",
    "symbol_info",
    "terminal_info",
    "tick",
]

MT4_ACCOUNT_LACKS = (
    "limit_orders",
    "margin_mode",
    "currency_digits",
    "fifo_close",
    "margin_initial",
    "margin_maintenance",
    "assets",
    "liabilities",
    "commission_blocked",
)
MT4_TERMINAL_LACKS = (
    "codepage",
    "maxbars",
    "tradeapi_disabled",
    "community_balance",
    "notifications_enabled",
    "mqid",
    "ping_last",
    "retransmission",
)


def missing(noun: Any, names: tuple[str, ...], platform: str) -> list[str]:
    """Return which of the fields that MetaTrader 4 may lack it does lack."""
    return [] if platform == "mt5" else [n for n in names if getattr(noun, n) is None]


def account_info(account: model.Account, platform: str) -> shapes.AccountInfo:
    """``AccountInfo*``; a margin level of 0 means that there are no positions."""
    mode = account.margin_mode
    return {
        "login": account.login,
        "trade_mode": enums.ACCOUNT_TRADE_MODE[account.trade_mode],
        "leverage": account.leverage,
        "limit_orders": account.limit_orders or None,
        "margin_so_mode": enums.STOPOUT_MODE[account.margin_so_mode],
        "trade_allowed": account.trade_allowed,
        "trade_expert": account.trade_expert,
        "margin_mode": None if mode is None else enums.MARGIN_MODE[mode],
        "currency_digits": account.currency_digits,
        "fifo_close": account.fifo_close,
        "balance": account.balance,
        "credit": account.credit,
        "profit": account.profit,
        "equity": account.equity,
        "margin": account.margin,
        "margin_free": account.margin_free,
        "margin_level": round(account.margin_level, 2) or None,
        "margin_so_call": account.margin_so_call,
        "margin_so_so": account.margin_so_so,
        "margin_initial": account.margin_initial,
        "margin_maintenance": account.margin_maintenance,
        "assets": account.assets,
        "liabilities": account.liabilities,
        "commission_blocked": account.commission_blocked,
        "name": account.name,
        "server": account.server,
        "currency": account.currency,
        "company": account.company,
        "paper": account.paper,
        "unavailable": missing(account, MT4_ACCOUNT_LACKS, platform),
    }


def account_balance(account: model.Account) -> shapes.AccountBalance:
    """The account's money alone."""
    return {
        "balance": account.balance,
        "credit": account.credit,
        "equity": account.equity,
        "margin": account.margin,
        "margin_free": account.margin_free,
        "margin_level": round(account.margin_level, 2) or None,
        "profit": account.profit,
        "currency": account.currency,
        "paper": account.paper,
    }


def terminal_info(terminal: model.Terminal, platform: str) -> shapes.TerminalInfo:
    """``TerminalInfo*``."""
    return {
        "platform": "mt4" if platform == "mt4" else "mt5",
        "build": terminal.build,
        "codepage": terminal.codepage,
        "company": terminal.company,
        "connected": terminal.connected,
        "data_path": terminal.data_path,
        "commondata_path": terminal.commondata_path,
        "path": terminal.path,
        "name": terminal.name,
        "language": terminal.language,
        "maxbars": terminal.maxbars,
        "dlls_allowed": terminal.dlls_allowed,
        "trade_allowed": terminal.trade_allowed,
        "tradeapi_disabled": terminal.tradeapi_disabled,
        "community_account": terminal.community_account,
        "community_balance": terminal.community_balance,
        "community_connection": terminal.community_connection,
        "email_enabled": terminal.email_enabled,
        "ftp_enabled": terminal.ftp_enabled,
        "notifications_enabled": terminal.notifications_enabled,
        "mqid": terminal.mqid,
        "ping_last": terminal.ping_last,
        "retransmission": terminal.retransmission,
        "unavailable": missing(terminal, MT4_TERMINAL_LACKS, platform),
    }


def broker_offset(clock: BrokerClock) -> shapes.BrokerOffset:
    """What the gateway has learnt of the broker's clock."""
    estimate = clock.estimate
    return {
        "broker_utc_offset_s": estimate.offset_s,
        "rule": estimate.rule,
        "source": estimate.source,
        "confidence": estimate.confidence,
        "since": estimate.since_ms,
    }


def server_time(now: model.Clock, clock: BrokerClock) -> shapes.ServerTime:
    """The broker's clock; without ``TimeTradeServer`` it is the PC's, put into broker time.

    The offset is that of now: in the hour that a clock shows twice its stamp alone does not tell.
    """
    utc_ms = now.tgmt * 1000
    broker_ms = clock.to_broker_ms(utc_ms)
    if now.tsrv is not None:
        broker_ms = now.tsrv * 1000
        utc_ms = broker_ms - clock.offset_at(utc_ms)
    return {
        "time": utc_ms,
        "broker_time": broker_ms,
        "utc_offset_seconds": (broker_ms - utc_ms) // 1000,
        "last_quote_time": clock.to_utc_ms(now.tcur * 1000),
        "terminal_time": now.tgmt * 1000,
        "local_offset_seconds": now.tlocal - now.tgmt,
        "offset": broker_offset(clock),
        "unavailable": [] if now.tsrv is not None else ["trade_server_time"],
    }


BALANCE_TYPES = frozenset(model.DealType) - {
    model.DealType.BUY,
    model.DealType.SELL,
    model.DealType.BUY_CANCELED,
    model.DealType.SELL_CANCELED,
}
"""Deals that are no trades: deposits, credit, charges."""


def _utc(clock: BrokerClock, broker_ms: int) -> int | None:
    return clock.to_utc_ms(broker_ms) if broker_ms else None


def position(one: model.Position, clock: BrokerClock) -> shapes.Position:
    """An open position. Prices and times of 0 mean that there is none."""
    opened = one.time_msc or one.time * 1000
    updated = one.time_update_msc or one.time_update * 1000
    return {
        "ticket": one.ticket,
        "time": _utc(clock, opened),
        "broker_time": opened or None,
        "time_update": _utc(clock, updated),
        "broker_time_update": updated or None,
        "type": enums.POSITION_TYPE[one.type],
        "magic": one.magic,
        "identifier": one.identifier or one.ticket,
        "reason": enums.POSITION_REASON[one.reason],
        "volume": one.volume,
        "price_open": one.price_open,
        "sl": one.sl or None,
        "tp": one.tp or None,
        "price_current": one.price_current or None,
        "swap": one.swap,
        "profit": one.profit,
        "symbol": one.symbol,
        "comment": one.comment,
        "external_id": one.external_id,
        "paper": one.paper,
    }


def order(one: model.Order, clock: BrokerClock) -> shapes.Order:
    """A pending or a past order. Prices, ids and times of 0 mean that there is none."""
    setup = one.time_setup_msc or one.time_setup * 1000
    done = one.time_done_msc or one.time_done * 1000
    expiration = one.time_expiration * 1000
    return {
        "ticket": one.ticket,
        "time_setup": _utc(clock, setup),
        "broker_time_setup": setup or None,
        "time_done": _utc(clock, done),
        "broker_time_done": done or None,
        "time_expiration": _utc(clock, expiration),
        "broker_time_expiration": expiration or None,
        "type": enums.ORDER_TYPE[one.type],
        "type_time": enums.ORDER_TIME[one.type_time],
        "type_filling": enums.ORDER_FILLING[one.type_filling],
        "state": enums.ORDER_STATE[one.state],
        "magic": one.magic,
        "position_id": one.position_id or None,
        "position_by_id": one.position_by_id or None,
        "reason": enums.ORDER_REASON[one.reason],
        "volume_initial": one.volume_initial,
        "volume_current": one.volume_current,
        "price_open": one.price_open or None,
        "sl": one.sl or None,
        "tp": one.tp or None,
        "price_current": one.price_current or None,
        "price_stoplimit": one.price_stoplimit or None,
        "symbol": one.symbol,
        "comment": one.comment,
        "external_id": one.external_id,
        "emulated": one.emulated,
        "became": one.became or None,
        "paper": one.paper,
    }


def deal(one: model.Deal, clock: BrokerClock) -> shapes.Deal:
    """An execution, or a balance operation, which has no symbol, order, entry and price."""
    at = one.time_msc or one.time * 1000
    trades = one.type not in BALANCE_TYPES
    return {
        "ticket": one.ticket,
        "order": one.order or None,
        "time": _utc(clock, at),
        "broker_time": at or None,
        "type": enums.DEAL_TYPE[one.type],
        "entry": enums.DEAL_ENTRY[one.entry] if trades else None,
        "magic": one.magic,
        "position_id": one.position_id or None,
        "reason": enums.DEAL_REASON[one.reason],
        "volume": one.volume,
        "price": one.price or None,
        "commission": one.commission,
        "swap": one.swap,
        "profit": one.profit,
        "fee": one.fee,
        "symbol": one.symbol or None,
        "comment": one.comment,
        "external_id": one.external_id,
        "paper": one.paper,
    }


def check_result(one: model.CheckResult, error: GatewayError | None = None) -> shapes.CheckResult:
    """``OrderCheck``'s answer. The sums of a refusal are 0 where they were not computed."""
    computed = one.retcode == 0 or bool(one.equity or one.margin)
    return {
        "passes": one.retcode == 0,
        "retcode": one.retcode,
        "retcode_name": retcode_name(one.retcode) if one.retcode else None,
        "balance": one.balance if computed else None,
        "equity": one.equity if computed else None,
        "profit": one.profit if computed else None,
        "margin": one.margin if computed else None,
        "margin_free": one.margin_free if computed else None,
        "margin_level": (round(one.margin_level, 2) or None) if computed else None,
        "comment": one.comment,
        "error": None if error is None else _error(error),
    }


def refused_check(error: GatewayError) -> shapes.CheckResult:
    """Return the check of an order that the gateway itself refuses.

    The broker has no retcode for what it was never asked, so it is 10006
    ``TRADE_RETCODE_REJECT`` where the error has none.
    """
    retcode = error.data.get("retcode") or model.TradeRetcode.REJECT
    refused = model.CheckResult(retcode=int(retcode), comment=error.message)
    return check_result(refused, error)


def _error(error: GatewayError) -> shapes.OrderError:
    told = error.as_dict()
    return {"code": told["code"], "message": told["message"], "data": told["data"]}


def retcode_name(retcode: int) -> str:
    """Return ``TRADE_RETCODE_...``; ``other_<number>`` if we don't know it."""
    try:
        return f"TRADE_RETCODE_{model.TradeRetcode(retcode).name}"
    except ValueError:
        return f"other_{retcode}"


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
        "start_time": _utc_of_s(clock, info.start_time),
        "expiration_time": _utc_of_s(clock, info.expiration_time),
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
        "time": _utc_of_s(clock, info.time),
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


def _utc_of_s(clock: BrokerClock, broker_s: int) -> int | None:
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
