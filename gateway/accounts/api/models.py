"""Bodies and answers of the accounts API. Bodies are strict: an unknown member is refused.

Times are ISO 8601 in UTC with a Z. Money is in the account's own currency.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, model_validator

from gateway.accounts import RegisteredAccount
from gateway.http.rest.models import RequestModel, ResponseModel

SQLITE_INTEGER = 2**63 - 1
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
AccountId = Annotated[int, Field(ge=1, le=SQLITE_INTEGER)]
Login = Annotated[int, Field(gt=0, le=SQLITE_INTEGER)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)]
Server = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE)]
Password = Annotated[str, Field(min_length=1, max_length=256, repr=False, pattern=r"^[^\x00]+$")]
KeptPassword = Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")] | None
Path = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Symbol = Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]
Symbols = Annotated[list[Symbol], Field(max_length=500)]
Lots = Annotated[float, Field(gt=0, le=100)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Kind = Literal["USD", "USC"]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]


def iso(at_ms: int) -> str:
    """Return a time as the API writes it: whole seconds where it is one, else milliseconds."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    precision = "seconds" if at_ms % 1000 == 0 else "milliseconds"
    return at.isoformat(timespec=precision).replace("+00:00", "Z")


Time = Annotated[
    int,
    PlainSerializer(iso, return_type=str),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]
"""UTC milliseconds, written as ISO 8601."""


# --- accounts ----------------------------------------------------------------------------------


class AccountCreate(RequestModel):
    """An account to be registered; its password is tried before anything is stored."""

    name: Name
    broker: Name
    login: Login
    password: Password
    server: Server
    is_live: bool = False
    """False: no orders are sent if it turns out to be an account with real money."""
    allowed_symbols: Symbols = Field(default=[])
    """The only symbols that may be traded; empty for all."""
    max_lot_size: Lots = 0.1
    """Lots of one order."""
    risk_pct: Fraction = 0.01
    """What an order may lose at its stop loss, as a fraction of the equity."""
    auto_trade_enabled: bool = True
    paper_trade_enabled: bool = False
    """Orders are filled on paper, at the terminal's prices."""
    mt5_path: Path = ""
    """Of the ``terminal64.exe`` that is to log in; empty for any. 400 if no linked terminal has
    it."""
    account_type: Kind = "USD"


class AccountUpdate(RequestModel):
    """Changes of an account; what is absent or null stays.

    Another server or password is tried before it is stored; an empty password keeps the old one.
    """

    name: Name | None = None
    broker: Name | None = None
    server: Server | None = None
    is_live: bool | None = None
    password: KeptPassword = Field(default=None, repr=False)
    allowed_symbols: Symbols | None = None
    max_lot_size: Lots | None = None
    risk_pct: Fraction | None = None
    auto_trade_enabled: bool | None = None
    paper_trade_enabled: bool | None = None
    mt5_path: Path | None = None
    account_type: Kind | None = None


class AccountResponse(ResponseModel):
    """A registered account; its password is in no answer."""

    id: int
    name: str
    broker: str
    login: int
    server: str
    is_live: bool
    is_active: bool
    allowed_symbols: list[str]
    max_lot_size: float
    risk_pct: float
    auto_trade_enabled: bool
    paper_trade_enabled: bool
    mt5_path: str
    account_type: Kind
    created_at: Time

    @model_validator(mode="before")
    @classmethod
    def _of_account(cls, account: Any) -> Any:
        if not isinstance(account, RegisteredAccount):
            return account
        shown = {name: getattr(account, name) for name in cls.model_fields}
        shown["allowed_symbols"] = list(account.allowed_symbols)
        shown["created_at"] = account.created_at * 1000
        return shown


class AccountInfo(ResponseModel):
    """The account as MetaTrader tells of it; ``margin_level`` in percent."""

    login: int
    name: str
    server: str
    company: str
    currency: str
    leverage: int
    balance: float
    equity: float
    margin: float
    margin_free: float
    margin_level: float
    profit: float
    trade_mode: int
    """MetaTrader's: 0 demo, 1 contest, 2 real."""
    paper: bool
    """The sums are those of paper trading."""


class EquityPoint(ResponseModel):
    """The money of an account at a time."""

    ts: Time
    equity: float
    balance: float


# --- trades ------------------------------------------------------------------------------------


class AccountStats(ResponseModel):
    """Statistics of the imported closed trades, in the account's own currency."""

    win_rate: float
    """Between 0 and 1, with four digits."""
    total_pnl: float
    """With two digits; swap, commission and fees are in it."""
    trade_count: int
    winning_trades: int


class Deal(ResponseModel):
    """A deal, with the names of the MetaTrader5 package. ``time`` and ``time_msc`` are UTC.

    MetaTrader 4 keeps no deals. There a trade is told as two: one that opened it (``entry`` 0),
    and one that closed it (1) and has its profit, swap and commission. Both have the number of
    the trade as ``ticket``, ``order`` and ``position_id``.
    """

    ticket: int
    order: int
    time: int
    time_msc: int
    type: int
    entry: int
    magic: int
    position_id: int
    reason: int
    volume: float
    price: float
    commission: float
    swap: float
    profit: float
    fee: float
    symbol: str
    comment: str
    external_id: str
    paper: bool
    """Of paper trading; no market has seen it."""


class HistorySync(ResponseModel):
    """Result of a history import; importing the same again adds nothing."""

    imported: int
    updated: int
    total_fetched: int
    """Deals that the terminal told of; on MetaTrader 4 closed trades."""


class OrdersSync(ResponseModel):
    """Result of a check of open trades: numbers closed, cancelled and unchanged."""

    total_checked: int
    positions_closed: int
    orders_cancelled: int
    unchanged: int


class FullSync(ResponseModel):
    """How what was open has gone on, and what was not known before."""

    positions_closed: int
    orders_expired: int
    orders_cancelled: int
    unchanged: int
    newly_imported: int
    updated: int
    total_checked: int


class SyncAll(ResponseModel):
    """An import of history of all accounts; those that failed are named in ``errors``."""

    imported: int
    updated: int
    total_fetched: int
    accounts_synced: int
    errors: list[str]


class TradeResponse(ResponseModel):
    """A position, open or closed, or a pending order."""

    id: int
    account_id: int
    ticket: int
    symbol: str
    direction: Literal["BUY", "SELL"]
    volume: float
    entry_price: float | None
    stop_loss: float | None
    take_profit: float | None
    close_price: float | None
    profit: float | None
    opened_at: Time | None
    closed_at: Time | None
    source: str
    order_status: Literal["pending", "filled", "cancelled", "expired"]
    order_type: Literal["market", "limit", "stop"]
    is_paper_trade: bool


class SummaryResponse(ResponseModel):
    """What was closed in a month. Money of one account is its own, of all it is dollars."""

    year: int
    month: int
    total_trades: int
    winning_trades: int
    losing_trades: int
    win_rate: float
    """Between 0 and 1, with three digits."""
    total_pnl: float
    avg_win: float
    avg_loss: float
    """0 or less."""
    profit_factor: float | None
    """What was won for each unit that was lost; null if nothing was."""
    best_day: str | None
    worst_day: str | None


class DayResult(ResponseModel):
    """What was closed on a day."""

    pnl: float
    trades: int
    win_rate: float


class DailyResponse(ResponseModel):
    """What was closed on the days of a month, by ``YYYY-MM-DD``."""

    entries: dict[str, DayResult]


# --- rules and the kill switch -----------------------------------------------------------------


class RiskResponse(ResponseModel):
    """The risk settings: rules for all accounts, each with its switch."""

    drawdown_check_enabled: bool
    max_drawdown_pct: float
    """``(balance - equity) / balance`` in percent at which trading stops."""
    position_limit_enabled: bool
    max_open_positions: int
    rate_limit_enabled: bool
    rate_limit_max_trades: int
    """Of one symbol, within the window."""
    rate_limit_window_hours: float
    hedging_allowed: bool


class RiskUpdate(RequestModel):
    """Changes of the risk settings; what is absent or null stays."""

    drawdown_check_enabled: bool | None = None
    max_drawdown_pct: Annotated[float, Field(gt=0, le=100)] | None = None
    position_limit_enabled: bool | None = None
    max_open_positions: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rate_limit_enabled: bool | None = None
    rate_limit_max_trades: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rate_limit_window_hours: Annotated[float, Field(gt=0, le=8760)] | None = None
    hedging_allowed: bool | None = None


class KillSwitchResponse(ResponseModel):
    """Whether trading is halted, why, since when, and by whom."""

    is_active: bool
    reason: str | None
    activated_at: Time | None
    activated_by: str | None
    """``cli``, ``console``, ``drawdown``, or ``token`` and the public id of one."""


class KillSwitchActivate(RequestModel):
    """Why trading is to stop."""

    reason: Reason


class KillSwitchLine(ResponseModel):
    """One turn of the kill switch."""

    id: int
    action: Literal["activated", "deactivated"]
    reason: str | None
    triggered_by: str
    """``cli``, ``console``, ``drawdown``, or ``token`` and the public id of one."""
    created_at: Time
