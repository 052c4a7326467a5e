"""Prices: symbols, ticks, bars, the order book. Times are the broker's wall clock."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec

from .struct import Digits, Integer, Milliseconds, Name, Seconds, Struct, Text

SecondOfDay = Annotated[int, msgspec.Meta(ge=0, le=86_400)]


class SymbolName(Struct, frozen=True, kw_only=True):
    """An entry of the broker's symbol list; ``select``: it is in Market Watch."""

    name: Name
    path: Text = ""
    select: bool = False


class SymbolInfo(Struct, frozen=True, kw_only=True):
    """``SymbolInfo*``: everything MetaTrader knows of a symbol, in the package's order.

    Levels and ``spread`` are in points, volumes in lots. MetaTrader 4 lacks what is ``None``.
    """

    custom: bool | None = None
    chart_mode: Integer | None = None
    select: bool = False
    visible: bool = False
    session_deals: Integer = 0
    session_buy_orders: Integer = 0
    session_sell_orders: Integer = 0
    volume: Integer = 0
    volumehigh: Integer = 0
    volumelow: Integer = 0
    time: Seconds = 0
    digits: Digits
    spread: Integer = 0
    spread_float: bool = False
    ticks_bookdepth: Integer | None = None
    trade_calc_mode: Integer | None = None
    trade_mode: Integer = 0
    start_time: Seconds = 0
    expiration_time: Seconds = 0
    trade_stops_level: Integer = 0
    trade_freeze_level: Integer = 0
    trade_exemode: Integer = 0
    swap_mode: Integer = 0
    swap_rollover3days: Integer = 0
    margin_hedged_use_leg: bool | None = None
    expiration_mode: Integer | None = None
    filling_mode: Integer | None = None
    order_mode: Integer | None = None
    order_gtc_mode: Integer | None = None
    option_mode: Integer = 0
    option_right: Integer = 0
    bid: float = 0.0
    bidhigh: float = 0.0
    bidlow: float = 0.0
    ask: float = 0.0
    askhigh: float = 0.0
    asklow: float = 0.0
    last: float = 0.0
    lasthigh: float = 0.0
    lastlow: float = 0.0
    volume_real: float = 0.0
    volumehigh_real: float = 0.0
    volumelow_real: float = 0.0
    option_strike: float = 0.0
    point: float
    trade_tick_value: float = 0.0
    trade_tick_value_profit: float | None = None
    trade_tick_value_loss: float | None = None
    trade_tick_size: float = 0.0
    trade_contract_size: float = 0.0
    trade_accrued_interest: float = 0.0
    trade_face_value: float = 0.0
    trade_liquidity_rate: float = 0.0
    volume_min: float = 0.0
    volume_max: float = 0.0
    volume_step: float = 0.0
    volume_limit: float | None = None
    swap_long: float = 0.0
    swap_short: float = 0.0
    margin_initial: float = 0.0
    margin_maintenance: float = 0.0
    session_volume: float = 0.0
    session_turnover: float = 0.0
    session_interest: float = 0.0
    session_buy_orders_volume: float = 0.0
    session_sell_orders_volume: float = 0.0
    session_open: float = 0.0
    session_close: float = 0.0
    session_aw: float = 0.0
    session_price_settlement: float = 0.0
    session_price_limit_min: float = 0.0
    session_price_limit_max: float = 0.0
    margin_hedged: float = 0.0
    price_change: float = 0.0
    price_volatility: float = 0.0
    price_theoretical: float = 0.0
    price_greeks_delta: float = 0.0
    price_greeks_theta: float = 0.0
    price_greeks_gamma: float = 0.0
    price_greeks_vega: float = 0.0
    price_greeks_rho: float = 0.0
    price_greeks_omega: float = 0.0
    price_sensitivity: float = 0.0
    basis: Text = ""
    category: Text = ""
    currency_base: Text = ""
    currency_profit: Text = ""
    currency_margin: Text = ""
    bank: Text = ""
    description: Text = ""
    exchange: Text = ""
    formula: Text = ""
    isin: Text = ""
    name: Name
    page: Text = ""
    path: Text = ""


class TradeSession(Struct, frozen=True, kw_only=True):
    """``SymbolInfoSessionTrade``: from ``from_s`` to before ``to_s`` of a day a symbol trades.

    ``day`` is a :class:`~.enums.DayOfWeek` (0: Sunday), the seconds count from its midnight; all
    of the broker's wall clock. A day can have several sessions, or none.
    """

    day: Annotated[int, msgspec.Meta(ge=0, le=6)]
    from_s: SecondOfDay
    to_s: SecondOfDay


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """One change of a symbol's prices: ``[time_msc, bid, ask, last, volume, flags, volume_real]``.

    ``time_msc`` is the broker's wall clock in milliseconds; ``flags`` is a
    :class:`~.enums.TickFlag` mask; ``last`` and ``volume`` are 0 where the broker gives none.
    """

    time_msc: Milliseconds
    bid: float
    ask: float
    last: float = 0.0
    volume: Integer = 0
    flags: Integer = 0
    volume_real: float = 0.0


class Bar(msgspec.Struct, frozen=True, array_like=True):
    """One bar: ``[time, open, high, low, close, tick_volume, spread, real_volume]``.

    ``time`` is the opening time in seconds of the broker's wall clock; ``spread`` in points.
    """

    time: Seconds
    open: float
    high: float
    low: float
    close: float
    tick_volume: Integer
    spread: Integer = 0
    real_volume: Integer = 0


T = TypeVar("T")
Missing = Literal["", "loading", "max_bars", "terminal_error"]
"""Why a history is not all that was asked for and that there is; empty where it is.

``loading``
    The terminal has not fetched the rest from its broker yet: ask again.
``max_bars``
    The rest lies beyond the bars that the terminal keeps ("Max bars in chart" of its options).
``terminal_error``
    The terminal gave what it had along with an error; its log may say why.
"""


class History(Struct, Generic[T], frozen=True, kw_only=True):
    """Bars or ticks of the past, oldest first, and why some may be missing.

    A history that is too long for one line comes in parts, each of them a history; the last one's
    ``missing`` counts.
    """

    rows: list[T]
    missing: Missing = ""


class BookEntry(msgspec.Struct, frozen=True, array_like=True):
    """One level of the order book: ``[type, price, volume]``, a :class:`~.enums.BookType`."""

    type: Integer
    price: float
    volume: float
