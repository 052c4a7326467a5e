"""``ConSymbol`` and ``SymbolInfo``: what is traded, and at which price."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from ea_bridge.model.struct import Struct

from .fields import Int, Text12, Text64, Time, UInt

Minutes = tuple[Int, Int, Int, Int]
"""``open_hour, open_min, close_hour, close_min``; all 0: no session."""


class DaySessions(Struct, frozen=True, kw_only=True):
    """``ConSessions``: when a symbol is quoted and traded on one day, server time."""

    quote: Annotated[list[Minutes], Meta(max_length=3)] = field(default_factory=list)
    trade: Annotated[list[Minutes], Meta(max_length=3)] = field(default_factory=list)


class SymbolRecord(Struct, frozen=True, kw_only=True):
    """A symbol as the server tells it (the public part of ``ConSymbol``).

    ``sessions`` are of Sunday to Saturday. ``margin_mode`` is a
    :class:`~.enums.MarginCalculation`, ``profit_mode`` a :class:`~.enums.ProfitCalculation`,
    ``trade`` a :class:`~.enums.SymbolTrade`. ``exemode``: 0 request, 1 instant, 2 market.
    ``swap_type``: 0 points, 1 dollars, 2 interest, 3 margin currency. ``swap_rollover3days``: 0
    Monday to 4 Friday. ``margin_divider`` divides the margin.
    """

    symbol: Text12
    description: Text64 = ""
    source: Text12 = ""
    currency: Text12 = ""
    type: Int = 0
    digits: Int = 0
    trade: Int = 0
    background_color: UInt = 0
    count: Int = 0
    count_original: Int = 0
    realtime: Int = 0
    starting: Time = 0
    expiration: Time = 0
    sessions: Annotated[list[DaySessions], Meta(max_length=7)] = field(default_factory=list)
    profit_mode: Int = 0
    filter: Int = 0
    filter_counter: Int = 0
    filter_limit: float = 0.0
    filter_smoothing: Int = 0
    logging: Int = 0
    spread: Int = 0
    spread_balance: Int = 0
    exemode: Int = 0
    swap_enable: Int = 0
    swap_type: Int = 0
    swap_long: float = 0.0
    swap_short: float = 0.0
    swap_rollover3days: Int = 0
    contract_size: float = 0.0
    tick_value: float = 0.0
    tick_size: float = 0.0
    stops_level: Int = 0
    gtc_pendings: Int = 0
    margin_mode: Int = 0
    margin_initial: float = 0.0
    margin_maintenance: float = 0.0
    margin_hedged: float = 0.0
    margin_divider: float = 1.0
    point: float = 0.0
    multiply: float = 0.0
    bid_tickvalue: float = 0.0
    ask_tickvalue: float = 0.0
    long_only: Int = 0
    instant_max_volume: Int = 0
    margin_currency: Text12 = ""
    freeze_level: Int = 0
    margin_hedged_strong: Int = 0
    value_date: Time = 0
    quotes_delay: Int = 0
    swap_openprice: Int = 0
    swap_variation_margin: Int = 0


class SymbolPrice(Struct, frozen=True, kw_only=True):
    """``SymbolInfo``: a symbol's price. ``direction`` is a :class:`~.enums.PriceDirection`."""

    symbol: Text12
    digits: Int = 0
    count: Int = 0
    visible: Int = 0
    type: Int = 0
    point: float = 0.0
    spread: Int = 0
    spread_balance: Int = 0
    direction: Int = 0
    updateflag: Int = 0
    lasttime: Time = 0
    bid: float = 0.0
    ask: float = 0.0
    high: float = 0.0
    low: float = 0.0
    commission: float = 0.0
    comm_type: Int = 0


class SymbolsFilter(Struct, frozen=True, kw_only=True):
    """Filter of symbols: masks with commas between them, ``"*USD*,!EURUSD"``; ``None``: all."""

    symbol: str | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None
