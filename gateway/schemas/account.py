"""The account, the terminal, its clock and its EA, as clients see them."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType, TypedDict

from .enums import AccountTradeMode, LinkState, MarginMode, Platform, StopoutMode, shape

ClockRule = TypeAliasType("ClockRule", Literal["new_york+7h", "eet", "constant"])
ClockSource = TypeAliasType("ClockSource", Literal["ticks", "assumed"])
Confidence = TypeAliasType("Confidence", Literal["high", "low", "none"])


@shape
class AccountInfo(TypedDict):
    """MetaTrader's ``AccountInfo*``. Money in ``currency``."""

    login: int
    trade_mode: AccountTradeMode
    leverage: int
    limit_orders: int | None
    """Most pending orders allowed; null where the broker sets no limit."""
    margin_so_mode: StopoutMode
    """What ``margin_so_call`` and ``margin_so_so`` are measured in."""
    trade_allowed: bool
    """The broker allows trading on this account."""
    trade_expert: bool
    """The broker allows trading by programs on this account."""
    margin_mode: MarginMode | None
    currency_digits: int | None
    fifo_close: bool | None
    """Positions of a symbol can be closed in the order of their opening only."""
    balance: float
    credit: float
    profit: float
    """Floating result of the open positions."""
    equity: float
    margin: float
    margin_free: float
    margin_level: float | None
    """``equity / margin`` in percent; null without positions."""
    margin_so_call: float
    margin_so_so: float
    margin_initial: float | None
    margin_maintenance: float | None
    assets: float | None
    liabilities: float | None
    commission_blocked: float | None
    name: str
    server: str
    currency: str
    company: str
    paper: bool
    """True: the sums are those of paper trading, and no money of the account is in them."""
    unavailable: list[str]
    """Fields that are null because this platform does not know them; empty on MetaTrader 5."""


@shape
class AccountBalance(TypedDict):
    """The money of the account alone, in ``currency``."""

    balance: float
    credit: float
    equity: float
    margin: float
    margin_free: float
    margin_level: float | None
    """``equity / margin`` in percent; null without positions."""
    profit: float
    """Floating result of the open positions."""
    currency: str
    paper: bool
    """True: the sums of paper trading."""


@shape
class TerminalInfo(TypedDict):
    """MetaTrader's ``TerminalInfo*``."""

    platform: Platform
    build: int
    codepage: int | None
    company: str
    connected: bool
    """The terminal is connected to the broker."""
    data_path: str
    commondata_path: str
    path: str
    name: str
    language: str
    maxbars: int | None
    """Most bars in a chart."""
    dlls_allowed: bool
    trade_allowed: bool
    """The AutoTrading button is on."""
    tradeapi_disabled: bool | None
    community_account: bool
    community_balance: float | None
    community_connection: bool
    email_enabled: bool
    ftp_enabled: bool
    notifications_enabled: bool | None
    mqid: bool | None
    ping_last: int | None
    """The last measured ping to the broker, in microseconds."""
    retransmission: float | None
    """Resent packets on the way to the broker, in percent."""
    unavailable: list[str]
    """Fields that are null because this platform does not know them; empty on MetaTrader 5."""


@shape
class BrokerOffset(TypedDict):
    """Offset of broker time to UTC: learnt from the terminal, since MetaTrader does not tell."""

    broker_utc_offset_s: int
    """Broker time minus UTC, now."""
    rule: ClockRule
    """How the offset of other dates follows: broker midnight is the close of New York, so that
    its summer time is America's (most brokers); Eastern European Time; or always the same."""
    source: ClockSource
    """``ticks``: measured on fresh quotes; ``assumed``: none has come yet, the commonest rule."""
    confidence: Confidence
    """``high``: many measurements agree; ``low``: few yet; ``none``: assumed."""
    since: int | None
    """Since when the present offset has been measured, UTC milliseconds; null if assumed."""


@shape
class ServerTime(TypedDict):
    """The broker's clock."""

    time: int
    """The broker's time now, UTC milliseconds."""
    broker_time: int
    """The same on the broker's wall clock, in milliseconds."""
    utc_offset_seconds: int
    """Broker time minus UTC."""
    last_quote_time: int
    """Time of the last quote (``TimeCurrent``), UTC milliseconds: stands still without quotes."""
    terminal_time: int
    """UTC of the terminal's machine (``TimeGMT``), in milliseconds."""
    local_offset_seconds: int
    """The terminal's machine: local time minus UTC."""
    offset: BrokerOffset
    unavailable: list[str]
    """What this platform does not tell: on MetaTrader 4 ``trade_server_time``, so that ``time``
    comes from the terminal's machine and the measured offset."""


@shape
class EaStatus(TypedDict):
    """The link to the terminal. Answered by the gateway itself, so also while it is offline."""

    terminal: str
    """The name of the terminal, as given with its token."""
    connected: bool
    """The EA is linked and heard of within the last seconds: ``state`` is ``ready``."""
    state: LinkState
    platform: Platform | None
    """This and what follows is null until the EA has been connected once."""
    ea_version: str | None
    build: int | None
    login: int | None
    server: str | None
    company: str | None
    capabilities: list[str]
    """What this terminal can do beyond the basics: ``ticks`` (history), ``book``, ``deals``,
    ``check``, ``lease``."""
    state_since: int | None
    """Since when it has been in this state, UTC milliseconds."""
    last_heartbeat: int | None
    """When the EA was last heard of, UTC milliseconds; null while disconnected."""
    rtt_ms: float | None
    """Round trip of the last heartbeat."""
    broker_connected: bool | None
    """The terminal is connected to the broker."""
    autotrading: bool | None
    """The AutoTrading button is on and the EA may trade."""
    paper: bool
    """The account trades on paper: no order reaches the market."""
    subscriptions: int
    """Channels that this connection hears; over ``/rpc``, that the token has subscribed to."""
