"""Drop-in for the package MetaTrader5: the same names, over the gateway, on every system.

::

    from gateway.client import mt5

    if not mt5.initialize():
        print("initialize() failed:", mt5.last_error())
    print(mt5.account_info())

The gateway is named by ``MT_GATEWAY_URL``, the terminal by ``MT_GATEWAY_TOKEN`` or as
:mod:`gateway.client.mt5.terminals` tells. ``docs/mt5.md`` lists each function, and what differs.
Needs numpy: ``pip install 'mt-gateway[mt5]'``.
"""

from __future__ import annotations

import sys

from gateway.client.mt5 import constants
from gateway.client.mt5.constants import *  # noqa: F403 (all of them)
from gateway.client.mt5.queries import (
    account_info,
    copy_rates_from,
    copy_rates_from_pos,
    copy_rates_range,
    copy_ticks_from,
    copy_ticks_range,
    history_deals_get,
    history_deals_total,
    history_orders_get,
    history_orders_total,
    last_error,
    market_book_add,
    market_book_get,
    market_book_release,
    order_calc_margin,
    order_calc_profit,
    orders_get,
    orders_total,
    positions_get,
    positions_total,
    symbol_info,
    symbol_info_tick,
    symbol_select,
    symbols_get,
    symbols_total,
    terminal_info,
    version,
)
from gateway.client.mt5.results import (
    AccountInfo,
    BookInfo,
    OrderCheckResult,
    OrderSendResult,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeDeal,
    TradeOrder,
    TradePosition,
    TradeRequest,
)
from gateway.client.mt5.terminals import initialize, login, shutdown
from gateway.client.mt5.trades import Buy, Close, Sell, order_check, order_send
from gateway.client.mt5.trades import _RawOrder as _RawOrder

__version__ = "5.0.6231"
__author__ = "MetaQuotes Ltd."

_core = sys.modules[__name__]

__all__ = [
    *(name for name in vars(constants) if name.isupper()),
    "AccountInfo",
    "BookInfo",
    "Buy",
    "Close",
    "OrderCheckResult",
    "OrderSendResult",
    "Sell",
    "SymbolInfo",
    "TerminalInfo",
    "Tick",
    "TradeDeal",
    "TradeOrder",
    "TradePosition",
    "TradeRequest",
    "account_info",
    "copy_rates_from",
    "copy_rates_from_pos",
    "copy_rates_range",
    "copy_ticks_from",
    "copy_ticks_range",
    "history_deals_get",
    "history_deals_total",
    "history_orders_get",
    "history_orders_total",
    "initialize",
    "last_error",
    "login",
    "market_book_add",
    "market_book_get",
    "market_book_release",
    "order_calc_margin",
    "order_calc_profit",
    "order_check",
    "order_send",
    "orders_get",
    "orders_total",
    "positions_get",
    "positions_total",
    "shutdown",
    "symbol_info",
    "symbol_info_tick",
    "symbol_select",
    "symbols_get",
    "symbols_total",
    "terminal_info",
    "version",
]
