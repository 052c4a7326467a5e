"""Trade server: its symbols and prices, its configuration and clock, the manager's connection.

``ConSymbol``, ``SymbolInfo`` and ``ConCommon`` of the API.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from ea_bridge.model.struct import Struct

from .account import MAX_LOGINS
from .types import Int, Login, Text12, Text32, Text64, Text128, Text256, Time, UInt

Minutes = tuple[Int, Int, Int, Int]
"""``open_hour, open_min, close_hour, close_min``; all 0: no session."""


class DaySessions(Struct, frozen=True, kw_only=True):
    """``ConSessions``: when a symbol is quoted and traded on one day, server time."""

    quote: Annotated[list[Minutes], Meta(max_length=3)] = field(default_factory=list)
    trade: Annotated[list[Minutes], Meta(max_length=3)] = field(default_factory=list)


class SymbolRecord(Struct, frozen=True, kw_only=True):
    """A symbol as the server tells it (the public part of ``ConSymbol``).

    ``sessions`` are of Sunday to Saturday. ``margin_mode`` is a
    :class:`~.types.MarginCalculation`, ``profit_mode`` a :class:`~.types.ProfitCalculation`,
    ``trade`` a :class:`~.types.SymbolTrade`. ``exemode``: 0 request, 1 instant, 2 market.
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
    """``SymbolInfo``: a symbol's price. ``direction`` is a :class:`~.types.PriceDirection`."""

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


MAX_MAIL_BODY = 32_768
"""Characters of one mail."""


class ServerConfig(Struct, frozen=True, kw_only=True):
    """``ConCommon``: the server's common settings.

    ``typeofdemo``: 0 disabled, 1 prolonged, 2 fixed. ``address`` is packed like
    ``UserRecord.last_ip``; ``optimization_time`` in minutes, ``timezone`` in hours from UTC.
    """

    owner: Text128 = ""
    name: Text32 = ""
    address: UInt = 0
    port: Int = 0
    timeout: Int = 0
    typeofdemo: Int = 0
    timeofdemo: Int = 0
    daylightcorrection: Int = 0
    timezone_real: Int = 0
    timezone: Int = 0
    timesync: Text64 = ""
    minclient: Int = 0
    minapi: Int = 0
    feeder_timeout: Int = 0
    keepemails: Int = 0
    endhour: Int = 0
    endminute: Int = 0
    optimization_time: Int = 0
    optimization_lasttime: Time = 0
    antiflood: Int = 0
    floodcontrol: Int = 0
    liveupdate_mode: Int = 0
    lastorder: Int = 0
    lastlogin: Int = 0
    lostlogin: Int = 0
    rollovers_mode: Int = 0
    path_database: Text256 = ""
    path_history: Text256 = ""
    path_log: Text256 = ""
    overnight_last_day: Time = 0
    overnight_last_time: Time = 0
    overnight_prev_time: Time = 0
    overmonth_last_month: Time = 0
    adapters: Text256 = ""
    bind_adresses: Annotated[list[UInt], Meta(max_length=8)] = field(default_factory=list)
    server_version: Int = 0
    server_build: Int = 0
    web_adresses: Annotated[list[UInt], Meta(max_length=8)] = field(default_factory=list)
    statement_mode: Int = 0
    monthly_state_mode: Int = 0
    keepticks: Int = 0
    statement_weekend: Int = 0
    last_activate: Time = 0
    stop_last: Time = 0
    stop_delay: Int = 0
    stop_reason: Int = 0
    account_url: Text128 = ""


class ConnectParams(Struct, frozen=True, kw_only=True):
    """``Connect`` and ``Login``: where the server is (``host:port``) and who the manager is."""

    server: Text128
    login: Login
    password: Annotated[str, Meta(min_length=1, max_length=63)]

    def __repr__(self) -> str:
        return f"ConnectParams(server={self.server!r}, login={self.login})"  # no password in a log


class ManagerConnection(Struct, frozen=True, kw_only=True):
    """The peer's connection to the trade server: where to and as whom, as far as there is one."""

    connected: bool
    server: Text128 = ""
    login: Login = 0


class TradeServerTime(Struct, frozen=True, kw_only=True):
    """``ServerTime``: seconds of the server's clock."""

    time: Time


class Mail(Struct, frozen=True, kw_only=True):
    """``MailSend``: an internal mail to users. ``sender`` is shown as its sender's name; empty:
    the manager's own.
    """

    logins: Annotated[list[Login], Meta(min_length=1, max_length=MAX_LOGINS)]
    subject: Text128
    body: Annotated[str, Meta(max_length=MAX_MAIL_BODY)]
    sender: Text64 = ""
