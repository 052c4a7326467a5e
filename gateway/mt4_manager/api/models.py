"""Bodies of the manager API: the Manager API's members, with its units and limits.

Volumes are lots times 100 and times seconds of the server's clock, as in its records. Texts are
arrays of bytes there: one of 32 holds 31.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from ea_bridge.mt4_manager.model import MAX_LOGINS, MAX_MAIL_BODY, MAX_PASSWORD, MIN_PASSWORD
from gateway.http.rest.models import RequestModel
from gateway.mt4_manager.journal import MAX_COMMENT

INT = 2**31 - 1
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
MAX_ORDERS = 1000
"""Trades that one request can name."""

Login = Annotated[int, Field(ge=1, le=INT)]
Order = Annotated[int, Field(ge=1, le=INT)]
Time = Annotated[int, Field(ge=0, le=INT)]
Flag = Annotated[int, Field(ge=0, le=1)]
Volume = Annotated[int, Field(ge=0, le=INT)]
Leverage = Annotated[int, Field(ge=1, le=5000)]
Price = Annotated[float, Field(ge=0, le=1e12)]
Money = Annotated[float, Field(ge=-1e12, le=1e12)]
GroupName = Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[^\x00-\x1f\x7f]+$")]
SymbolName = Annotated[str, Field(min_length=1, max_length=11, pattern=r"^[^\x00-\x1f\x7f]+$")]
Mask = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Password = Annotated[
    str,
    Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD, pattern=r"^[\x21-\x7e]+$"),
]
Text15 = Annotated[str, Field(max_length=15, pattern=PRINTABLE)]
Text31 = Annotated[str, Field(max_length=31, pattern=PRINTABLE)]
Text47 = Annotated[str, Field(max_length=47, pattern=PRINTABLE)]
Text63 = Annotated[str, Field(max_length=63, pattern=PRINTABLE)]
Text95 = Annotated[str, Field(max_length=95, pattern=PRINTABLE)]
Text127 = Annotated[str, Field(max_length=127, pattern=PRINTABLE)]
Comment = Annotated[str, Field(max_length=MAX_COMMENT, pattern=PRINTABLE)]
"""Of a booking: the tag by which it is found again takes the rest of the record's 31."""
Logins = Annotated[list[Login], Field(min_length=1, max_length=MAX_LOGINS)]
Orders = Annotated[list[Order], Field(min_length=1, max_length=MAX_ORDERS)]

G = TypeVar("G", bound=RequestModel)


def _cents(amount: float) -> float:
    if round(amount, 2) != amount:
        raise PydanticCustomError("amount", "give at most two decimals")
    return amount


class LoginForm(RequestModel):
    """The form of the login."""

    username: Annotated[str, Field(min_length=1, max_length=128)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    grant_type: Literal["password", ""] = ""
    """Sent by OAuth2 clients; it changes nothing, as the two below."""
    scope: Annotated[str, Field(max_length=256)] = ""
    client_id: Annotated[str, Field(max_length=256)] = ""
    client_secret: Annotated[str, Field(max_length=256)] = ""


class Connect(RequestModel):
    """Where the MT4 server is, and who its manager."""

    server: Annotated[
        str, StringConstraints(min_length=1, max_length=127, pattern=r"^[!-9;-~]+(:\d{1,5})?$")
    ]
    """``host:port``; without a port 443."""
    login: Login
    password: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\x7f]+$")]


# --- users -------------------------------------------------------------------------------------


class UserFields(RequestModel):
    """What can be set of a user; what is absent stays, or is the API's zero of a new one."""

    enable: Flag | None = None
    enable_change_password: Flag | None = None
    enable_read_only: Flag | None = None
    """1: he may not trade."""
    enable_otp: Flag | None = None
    country: Text31 | None = None
    city: Text31 | None = None
    state: Text31 | None = None
    zipcode: Text15 | None = None
    address: Text95 | None = None
    lead_source: Text31 | None = None
    phone: Text31 | None = None
    email: Text47 | None = None
    comment: Text63 | None = None
    id: Text31 | None = None
    """Of a passport or of a tax office."""
    status: Text15 | None = None
    agent_account: Annotated[int, Field(ge=0, le=INT)] | None = None
    taxes: Money | None = None
    send_reports: Flag | None = None
    user_color: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    """``COLORREF``; 4278190080 is none."""


class UserCreate(UserFields):
    """A user to be made."""

    group: GroupName
    name: Annotated[str, Field(min_length=1, max_length=127, pattern=PRINTABLE)]
    password: Password
    """5 to 15 characters, with two of: lower case, upper case, digits."""
    leverage: Leverage
    login: Login | None = None
    """The server allots one if absent."""
    password_investor: Password | None = None
    password_phone: Annotated[str, Field(max_length=31, pattern=PRINTABLE)] | None = None


class UserUpdate(UserFields):
    """Changes of a user: at least one member."""

    group: GroupName | None = None
    name: Annotated[str, Field(min_length=1, max_length=127, pattern=PRINTABLE)] | None = None
    leverage: Leverage | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        return _not_empty(self)


class PasswordSet(RequestModel):
    """A new password of a user."""

    password: Password
    """5 to 15 characters, with two of: lower case, upper case, digits."""
    investor: bool = False
    """True: the one that only lets look."""
    clean_pubkey: bool = False
    """True: forget the user's public key as well."""


# --- money -------------------------------------------------------------------------------------


class Amount(RequestModel):
    """A deposit or a withdrawal, in the account's currency."""

    amount: Annotated[float, Field(gt=0, le=1_000_000_000)]
    """At most two decimals."""
    comment: Comment = ""

    @model_validator(mode="after")
    def _in_cents(self) -> Self:
        _cents(self.amount)
        return self


class Credit(RequestModel):
    """Credit that is given (``amount`` above 0) or taken away (below)."""

    amount: Annotated[float, Field(ge=-1_000_000_000, le=1_000_000_000)]
    """At most two decimals; not 0."""
    comment: Comment = ""
    expiration: Annotated[int, Field(ge=1, le=INT)] | None = None
    """When credit that is given ends, in seconds of the server's clock; it needs one."""

    @model_validator(mode="after")
    def _is_some(self) -> Self:
        _cents(self.amount)
        if self.amount == 0:
            raise PydanticCustomError("amount", "give an amount other than 0")
        if (self.amount > 0) is not (self.expiration is not None):
            raise PydanticCustomError(
                "expiration", "credit that is given needs an expiration; taking away has none"
            )
        return self


# --- trades ------------------------------------------------------------------------------------


class HistorySpan(RequestModel):
    """Of what was closed: ``from <= close_time <= to``, seconds of the server's clock."""

    from_s: Time = Field(alias="from")
    to_s: Time = Field(alias="to")

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.from_s > self.to_s:
            raise PydanticCustomError("span", "from must not be after to")
        return self


class TradesNamed(RequestModel):
    """Trades, by their numbers."""

    orders: Orders


class TradesDelete(TradesNamed):
    """Trades to remove: all of them or none."""

    fix_balance: bool = True
    """Balance and credit shall be again what the account's history adds up to; the server itself
    changes nothing but the records."""


class GroupTrades(RequestModel):
    """Trades of groups."""

    group: Mask
    """Masks with commas between them: ``demo*,!demo-old``."""
    open_only: bool = False


class TradeUpdate(RequestModel):
    """Changes of a trade: at least one member. The server's books change with it."""

    symbol: SymbolName | None = None
    cmd: Annotated[int, Field(ge=0, le=7)] | None = None
    volume: Volume | None = None
    """Lots times 100."""
    open_time: Time | None = None
    open_price: Price | None = None
    sl: Price | None = None
    tp: Price | None = None
    close_time: Time | None = None
    close_price: Price | None = None
    expiration: Time | None = None
    commission: Money | None = None
    commission_agent: Money | None = None
    storage: Money | None = None
    """Swap."""
    profit: Money | None = None
    taxes: Money | None = None
    magic: Annotated[int, Field(ge=-INT - 1, le=INT)] | None = None
    comment: Text31 | None = None
    fix_balance: bool = True
    """As with the deletion of trades."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        return _not_empty(self)


# --- mail and groups ---------------------------------------------------------------------------


class MailSend(RequestModel):
    """An internal mail to users."""

    logins: Logins
    subject: Annotated[str, Field(min_length=1, max_length=127, pattern=PRINTABLE)]
    body: Annotated[str, Field(min_length=1, max_length=MAX_MAIL_BODY, pattern=r"^[^\x00]*$")]


class GroupOperation(RequestModel):
    """One thing to do to users: to all of them or to none."""

    command: Literal["delete", "enable", "disable", "leverage", "setgroup"]
    logins: Logins
    group: GroupName | None = None
    """Where to, of ``setgroup``."""
    leverage: Leverage | None = None
    """Of ``leverage``."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wanted = {"setgroup": "group", "leverage": "leverage"}.get(self.command)
        for name in ("group", "leverage"):
            if (getattr(self, name) is not None) is not (name == wanted):
                raise PydanticCustomError(
                    "group_op", "setgroup takes a group, leverage a leverage, others neither"
                )
        return self


def _not_empty(given: G) -> G:
    if not given.model_dump(exclude_none=True, exclude={"fix_balance"}):
        raise PydanticCustomError("empty", "name at least one member to change")
    return given
