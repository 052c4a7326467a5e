"""The typed methods. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from .account import AccountMethods
from .calculations import CalculationsMethods
from .contingent import ContingentMethods
from .history import HistoryMethods
from .journal import JournalMethods
from .market import MarketMethods
from .orders import OrdersMethods
from .positions import PositionsMethods
from .safety import SafetyMethods
from .service import ServiceMethods
from .subscriptions import SubscriptionsMethods
from .symbols import SymbolsMethods
from .terminal import TerminalMethods

READS = frozenset(
    {
        "get_account_info",
        "get_account_balance",
        "get_terminal_info",
        "get_server_time",
        "get_ea_status",
        "get_symbols",
        "get_symbol_info",
        "get_sessions",
        "symbol_select",
        "get_ohlc",
        "get_history_prices",
        "get_history_ticks",
        "get_market_book",
        "get_positions",
        "get_orders",
        "get_order_info",
        "order_check",
        "get_order",
        "get_trailing_stops",
        "get_oco_links",
        "order_calc_margin",
        "order_calc_profit",
        "get_history_orders",
        "get_trading_enabled",
        "get_cancel_on_disconnect",
        "logout",
        "subscribe",
        "unsubscribe",
        "get_subscriptions",
        "ping",
        "hello",
        "get_server_info",
        "get_ws_ticket",
    }
)
"""They change nothing, so that asking again is safe."""


class Methods(
    AccountMethods,
    TerminalMethods,
    SymbolsMethods,
    MarketMethods,
    PositionsMethods,
    OrdersMethods,
    JournalMethods,
    ContingentMethods,
    CalculationsMethods,
    HistoryMethods,
    SafetyMethods,
    SubscriptionsMethods,
    ServiceMethods,
):
    """All of them."""
