"""Symbols and prices as clients see them.

``time`` is UTC and ``broker_time`` the broker's wall clock, both in milliseconds since 1970.
"""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from .enums import (
    BookType,
    DayOfWeek,
    ExpirationFlag,
    Incomplete,
    OptionMode,
    OptionRight,
    OrderFilling,
    OrderFlag,
    SymbolCalcMode,
    SymbolChartMode,
    SymbolExecution,
    SymbolGtcMode,
    SymbolSwapMode,
    SymbolTradeMode,
    Timeframe,
    shape,
)


@shape
class SymbolInfo(TypedDict):
    """MetaTrader's ``SymbolInfo*``. Levels and ``spread`` in points, volumes in lots; prices that
    the broker does not give (``last`` of a currency pair) are null."""

    name: str
    description: str
    path: str
    custom: bool | None
    chart_mode: SymbolChartMode | None
    select: bool
    """It is in Market Watch."""
    visible: bool
    digits: int
    point: float
    spread: int
    spread_float: bool
    trade_calc_mode: SymbolCalcMode | None
    trade_mode: SymbolTradeMode
    trade_exemode: SymbolExecution
    trade_stops_level: int
    """Least distance of stops from the market, in points."""
    trade_freeze_level: int
    """Closer to the market than this, orders can't be changed, in points."""
    trade_contract_size: float
    trade_tick_size: float
    trade_tick_value: float
    trade_tick_value_profit: float | None
    trade_tick_value_loss: float | None
    trade_accrued_interest: float
    trade_face_value: float
    trade_liquidity_rate: float
    volume_min: float
    volume_max: float
    volume_step: float
    volume_limit: float | None
    """Most volume in one direction; null where there is no limit."""
    filling_mode: list[OrderFilling] | None
    """The bit mask as words: modes that the broker allows beside ``return``, which is allowed
    for pending orders always and at market wherever ``trade_exemode`` is not ``market``."""
    expiration_mode: list[ExpirationFlag] | None
    """Lifetimes that pending orders may have."""
    order_mode: list[OrderFlag] | None
    """Kinds of order that are allowed."""
    order_gtc_mode: SymbolGtcMode | None
    swap_mode: SymbolSwapMode
    swap_long: float
    swap_short: float
    swap_rollover3days: DayOfWeek
    """When three days of swap are charged."""
    margin_initial: float
    margin_maintenance: float
    margin_hedged: float
    margin_hedged_use_leg: bool | None
    currency_base: str
    currency_profit: str
    currency_margin: str
    bank: str
    exchange: str
    category: str
    basis: str
    formula: str
    isin: str
    page: str
    ticks_bookdepth: int | None
    """Most levels of the order book; 0 where there is none."""
    option_mode: OptionMode | None
    option_right: OptionRight | None
    option_strike: float
    start_time: int | None
    """First day of trading, UTC milliseconds."""
    expiration_time: int | None
    """Last day of trading, UTC milliseconds."""
    bid: float | None
    bidhigh: float | None
    bidlow: float | None
    ask: float | None
    askhigh: float | None
    asklow: float | None
    last: float | None
    lasthigh: float | None
    lastlow: float | None
    volume: int
    volumehigh: int
    volumelow: int
    volume_real: float
    volumehigh_real: float
    volumelow_real: float
    time: int | None
    """Of the last quote, UTC milliseconds."""
    broker_time: int | None
    session_deals: int
    session_buy_orders: int
    session_sell_orders: int
    session_volume: float
    session_turnover: float
    session_interest: float
    session_buy_orders_volume: float
    session_sell_orders_volume: float
    session_open: float | None
    session_close: float | None
    session_aw: float | None
    session_price_settlement: float | None
    session_price_limit_min: float | None
    session_price_limit_max: float | None
    price_change: float
    price_volatility: float
    price_theoretical: float
    price_greeks_delta: float
    price_greeks_theta: float
    price_greeks_gamma: float
    price_greeks_vega: float
    price_greeks_rho: float
    price_greeks_omega: float
    price_sensitivity: float
    unavailable: list[str]
    """Fields that are null because this platform does not know them; empty on MetaTrader 5."""


@shape
class Tick(TypedDict):
    """One change of a symbol's prices, on the channel ``tick``."""

    symbol: str
    bid: float | None
    """Null before the first quote of the session."""
    ask: float | None
    last: float | None
    """Price of the last deal; null where the broker gives none."""
    volume: float | None
    """Volume of the last deal, in lots; null where ``last`` is."""
    flags: int
    """What changed, MetaTrader's bit mask: 2 bid, 4 ask, 8 last, 16 volume, 32 buy, 64 sell."""
    time: int
    broker_time: int
    backfilled: NotRequired[bool]
    """True, and there at all, where the tick happened while the terminal was away from the gateway
    and is told from the terminal's history: it is no news."""


@shape
class HistoryTick(TypedDict):
    """One tick of ``get_history_ticks``."""

    time: int
    broker_time: int
    bid: float | None
    ask: float | None
    last: float | None
    volume: float | None
    flags: int
    """What changed, MetaTrader's bit mask: 2 bid, 4 ask, 8 last, 16 volume, 32 buy, 64 sell."""


@shape
class HistoryTicks(TypedDict):
    """Ticks of a symbol, oldest first."""

    symbol: str
    ticks: list[HistoryTick]
    next_cursor: str | None
    """Give it as ``cursor`` for the next page; null on the last."""
    complete: bool
    """Whether this is all that the broker has of what was asked for, up to ``next_cursor``."""
    reason: Incomplete | None
    """Why it is not complete: ``loading`` (ask the same again), ``max_bars`` (the terminal keeps
    no more: "Max bars in chart" in its options) or ``terminal_error`` (its log may say why)."""


@shape
class Bar(TypedDict):
    """One bar. ``time`` is when it opened."""

    time: int
    broker_time: int
    open: float
    high: float
    low: float
    close: float
    tick_volume: int
    """How many ticks."""
    spread: int
    """In points."""
    real_volume: int
    """Exchange volume; 0 where there is none."""


@shape
class Bars(TypedDict):
    """Bars of a symbol, oldest first."""

    symbol: str
    timeframe: Timeframe
    bars: list[Bar]
    next_cursor: str | None
    """Give it as ``cursor`` for the next page; null on the last."""
    complete: bool
    """Whether this is all that the broker has of what was asked for, up to ``next_cursor``."""
    reason: Incomplete | None
    """Why it is not complete: ``loading`` (ask the same again), ``max_bars`` (the terminal keeps
    no more: "Max bars in chart" in its options) or ``terminal_error`` (its log may say why)."""


@shape
class BarEvent(TypedDict):
    """A bar on the channel ``bar.<timeframe>``."""

    symbol: str
    timeframe: Timeframe
    closed: bool
    """False while the bar is forming; each bar is told once as closed."""
    time: int
    broker_time: int
    open: float
    high: float
    low: float
    close: float
    tick_volume: int
    spread: int
    real_volume: int


@shape
class BookLevel(TypedDict):
    """One level of an order book."""

    type: BookType
    price: float
    volume: float


@shape
class Book(TypedDict):
    """A whole order book, also on the channel ``book``: sells first, highest price first."""

    symbol: str
    levels: list[BookLevel]
    time: int | None
    """When the terminal saw it; null from a terminal that does not say."""
    broker_time: int | None


@shape
class TradeSession(TypedDict):
    """A span in which a symbol trades, in the broker's wall clock."""

    day: DayOfWeek
    from_s: int
    """Seconds since the day's midnight."""
    to_s: int
    """The same, exclusive; 86400 is the next midnight."""


@shape
class SymbolSessions(TypedDict):
    """Sessions in which a symbol trades."""

    symbol: str
    open: bool
    """By the table, now. Holidays are in no table."""
    opens_at: int | None
    """When it trades next; null while it does, and where it never does."""
    closes_at: int | None
    """When it stops; null while it does not trade, and where it never stops."""
    sessions: list[TradeSession]
    """The broker's table of the week."""


@shape
class SymbolSelected(TypedDict):
    """Presence of a symbol in Market Watch."""

    symbol: str
    select: bool
