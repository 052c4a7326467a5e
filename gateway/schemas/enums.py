"""The words that stand for MetaTrader's integers.

Each is MetaTrader's constant without its prefix, in lower case (``ORDER_TYPE_BUY_LIMIT`` is
``"buy_limit"``). Five are shorter or split at the joint: ``netting``, ``hedging``, ``long_only``,
``short_only`` and ``close_only``. A number that this gateway does not know, from a newer terminal
say, becomes ``"other_<number>"``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypeAliasType

shape = with_config(ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True))
"""Decorates every shape: nothing but what is documented, and the docstrings in the schema."""

Other = TypeAliasType(
    "Other",
    Annotated[str, Field(pattern=r"^other_-?[0-9]+$", description="Unknown to the gateway.")],
)
Platform = TypeAliasType("Platform", Literal["mt4", "mt5"])
Side = TypeAliasType("Side", Literal["buy", "sell"])
Change = TypeAliasType("Change", Literal["add", "change", "remove"])
Incomplete = TypeAliasType("Incomplete", Literal["loading", "max_bars", "terminal_error"])
LinkState = TypeAliasType("LinkState", Literal["ready", "stale", "disconnected"])
"""``stale``: nothing heard for three seconds; ``disconnected``: no link, or none for fifteen."""
AccountTradeMode = TypeAliasType("AccountTradeMode", Literal["demo", "contest", "real"] | Other)
MarginMode = TypeAliasType("MarginMode", Literal["netting", "exchange", "hedging"] | Other)
StopoutMode = TypeAliasType("StopoutMode", Literal["percent", "money"] | Other)
OrderType = TypeAliasType(
    "OrderType",
    Literal[
        "buy",
        "sell",
        "buy_limit",
        "sell_limit",
        "buy_stop",
        "sell_stop",
        "buy_stop_limit",
        "sell_stop_limit",
        "close_by",
    ]
    | Other,
)
PositionType = TypeAliasType("PositionType", Literal["buy", "sell"] | Other)
OrderState = TypeAliasType(
    "OrderState",
    Literal[
        "started",
        "placed",
        "canceled",
        "partial",
        "filled",
        "rejected",
        "expired",
        "request_add",
        "request_modify",
        "request_cancel",
    ]
    | Other,
)
OrderFilling = TypeAliasType("OrderFilling", Literal["fok", "ioc", "return", "boc"] | Other)
OrderTime = TypeAliasType("OrderTime", Literal["gtc", "day", "specified", "specified_day"] | Other)
OrderReason = TypeAliasType(
    "OrderReason", Literal["client", "mobile", "web", "expert", "sl", "tp", "so"] | Other
)
PositionReason = TypeAliasType(
    "PositionReason", Literal["client", "mobile", "web", "expert"] | Other
)
DealType = TypeAliasType(
    "DealType",
    Literal[
        "buy",
        "sell",
        "balance",
        "credit",
        "charge",
        "correction",
        "bonus",
        "commission",
        "commission_daily",
        "commission_monthly",
        "commission_agent_daily",
        "commission_agent_monthly",
        "interest",
        "buy_canceled",
        "sell_canceled",
        "dividend",
        "dividend_franked",
        "tax",
    ]
    | Other,
)
DealEntry = TypeAliasType("DealEntry", Literal["in", "out", "inout", "out_by"] | Other)
DealReason = TypeAliasType(
    "DealReason",
    Literal["client", "mobile", "web", "expert", "sl", "tp", "so", "rollover", "vmargin", "split"]
    | Other,
)
SymbolTradeMode = TypeAliasType(
    "SymbolTradeMode", Literal["disabled", "long_only", "short_only", "close_only", "full"] | Other
)
SymbolExecution = TypeAliasType(
    "SymbolExecution", Literal["request", "instant", "market", "exchange"] | Other
)
SymbolCalcMode = TypeAliasType(
    "SymbolCalcMode",
    Literal[
        "forex",
        "futures",
        "cfd",
        "cfdindex",
        "cfdleverage",
        "forex_no_leverage",
        "exch_stocks",
        "exch_futures",
        "exch_options",
        "exch_options_margin",
        "exch_bonds",
        "exch_stocks_moex",
        "exch_bonds_moex",
        "serv_collateral",
    ]
    | Other,
)
SymbolSwapMode = TypeAliasType(
    "SymbolSwapMode",
    Literal[
        "disabled",
        "points",
        "currency_symbol",
        "currency_margin",
        "currency_deposit",
        "interest_current",
        "interest_open",
        "reopen_current",
        "reopen_bid",
    ]
    | Other,
)
SymbolGtcMode = TypeAliasType("SymbolGtcMode", Literal["gtc", "daily", "daily_no_stops"] | Other)
SymbolChartMode = TypeAliasType("SymbolChartMode", Literal["bid", "last"] | Other)
OptionMode = TypeAliasType("OptionMode", Literal["european", "american"] | Other)
OptionRight = TypeAliasType("OptionRight", Literal["call", "put"] | Other)
DayOfWeek = TypeAliasType(
    "DayOfWeek",
    Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] | Other,
)
BookType = TypeAliasType("BookType", Literal["sell", "buy", "sell_market", "buy_market"] | Other)
ExpirationFlag = TypeAliasType(
    "ExpirationFlag", Literal["gtc", "day", "specified", "specified_day"] | Other
)
OrderFlag = TypeAliasType(
    "OrderFlag", Literal["market", "limit", "stop", "stop_limit", "sl", "tp", "close_by"] | Other
)
Timeframe = TypeAliasType(
    "Timeframe",
    Literal[
        "M1",
        "M2",
        "M3",
        "M4",
        "M5",
        "M6",
        "M10",
        "M12",
        "M15",
        "M20",
        "M30",
        "H1",
        "H2",
        "H3",
        "H4",
        "H6",
        "H8",
        "H12",
        "D1",
        "W1",
        "MN1",
    ],
)
