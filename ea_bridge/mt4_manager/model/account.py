"""Accounts of a server and the groups that they trade in: ``UserRecord`` and ``ConGroup``.

The secrets of the API's record (``password``, ``password_investor``, ``password_phone``,
``otp_secret``, ``secure_reserved``) are not members of what is read: passwords go one way, in
:class:`NewUser` and :class:`PasswordParams`, and the others never cross the wire.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, field

from ea_bridge.model.struct import Struct

from .types import Int, Login, Text12, Text16, Text32, Text48, Text64, Text96, Text128, Time, UInt

NO_COLOR = 0xFF000000
"""``user_color`` of a user without one."""
MIN_PASSWORD, MAX_PASSWORD = 5, 15
MAX_LOGINS = 10_000
"""Users that one command can name."""
Leverage = Annotated[int, Meta(ge=1, le=5000)]
Password = Annotated[str, Meta(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
"""At least two of: lower-case letters, upper-case letters, digits; ASCII."""


class UserRecord(Struct, frozen=True, kw_only=True):
    """A user as the server tells him. Money in the currency of his group.

    ``enable_read_only`` above 0: he may not trade. ``last_ip`` is packed as in ``in_addr``, its
    first number in the lowest byte. ``id`` is that of a passport or of a tax office.
    """

    login: Login
    group: Text16 = ""
    enable: Int = 1
    enable_change_password: Int = 1
    enable_read_only: Int = 0
    enable_otp: Int = 0
    name: Text128 = ""
    country: Text32 = ""
    city: Text32 = ""
    state: Text32 = ""
    zipcode: Text16 = ""
    address: Text96 = ""
    lead_source: Text32 = ""
    phone: Text32 = ""
    email: Text48 = ""
    comment: Text64 = ""
    id: Text32 = ""
    status: Text16 = ""
    regdate: Time = 0
    lastdate: Time = 0
    leverage: Int = 0
    agent_account: Login = 0
    timestamp: Time = 0
    last_ip: UInt = 0
    balance: float = 0.0
    prevmonthbalance: float = 0.0
    prevbalance: float = 0.0
    credit: float = 0.0
    interestrate: float = 0.0
    taxes: float = 0.0
    prevmonthequity: float = 0.0
    prevequity: float = 0.0
    send_reports: Int = 0
    mqid: UInt = 0
    user_color: UInt = NO_COLOR


class UserChange(Struct, frozen=True, kw_only=True):
    """Change of a user; ``None`` stays as it is.

    The peer reads the whole record, changes these members and writes it back, so that what two
    callers change of one user at once does not undo each other. Balance and credit are changed by
    ``trade_transaction`` alone.
    """

    group: Text16 | None = None
    enable: Int | None = None
    enable_change_password: Int | None = None
    enable_read_only: Int | None = None
    enable_otp: Int | None = None
    name: Text128 | None = None
    country: Text32 | None = None
    city: Text32 | None = None
    state: Text32 | None = None
    zipcode: Text16 | None = None
    address: Text96 | None = None
    lead_source: Text32 | None = None
    phone: Text32 | None = None
    email: Text48 | None = None
    comment: Text64 | None = None
    id: Text32 | None = None
    status: Text16 | None = None
    leverage: Leverage | None = None
    agent_account: Login | None = None
    taxes: float | None = None
    send_reports: Int | None = None
    user_color: UInt | None = None


class NewUser(UserChange, frozen=True, kw_only=True):
    """``UserRecordNew``: a user to be made. ``login`` 0: the server allots one.

    What is ``None`` is the API's zero, except ``enable``, ``enable_change_password`` and
    ``send_reports``, which are on, and ``user_color``, which is :data:`NO_COLOR`. Without
    ``password_investor`` the server makes one up that nobody learns.
    """

    group: Text16
    name: Text128
    leverage: Leverage
    password: Password
    login: Login = 0
    password_investor: Password | None = None
    password_phone: Text32 | None = None
    id: Text32 | None = msgspec.field(default=None, name="user_id")
    """On the wire a command's own ``id`` lies beside it."""

    def __repr__(self) -> str:
        return f"NewUser(login={self.login}, group={self.group!r})"  # no password in a log


class PasswordParams(Struct, frozen=True, kw_only=True):
    """``UserPasswordSet``. ``clean_pubkey`` above 0 also forgets the user's public key."""

    login: Login
    password: Password
    change_investor: Int = 0
    clean_pubkey: Int = 0

    def __repr__(self) -> str:
        return f"PasswordParams(login={self.login}, change_investor={self.change_investor})"


class UserParams(Struct, frozen=True, kw_only=True):
    """The command is about one user."""

    login: Login


class LoginsParams(Struct, frozen=True, kw_only=True):
    """``UserRecordsRequest``: users by their logins."""

    logins: Annotated[list[Login], Meta(min_length=1, max_length=MAX_LOGINS)]


class UserUpdate(Struct, frozen=True, kw_only=True):
    """``UserRecordUpdate``: change what ``change`` says of one user."""

    login: Login
    change: UserChange


class OnlineRecord(Struct, frozen=True, kw_only=True):
    """``OnlineRecord``: one connection of a user; ``ip`` packed like ``UserRecord.last_ip``."""

    counter: Int = 0
    """Connections of that user from that address."""
    login: Login
    ip: UInt = 0
    group: Text16 = ""


class MarginLevel(Struct, frozen=True, kw_only=True):
    """An account's margin at the market's prices.

    ``balance`` is balance *and* credit, ``volume`` that of open positions in lots times 100,
    ``margin_level`` equity by margin in percent, 0 without margin. ``margin_type`` is a
    :class:`~.types.MarginType`, ``level_type`` a :class:`~.types.LevelType`.
    """

    login: Login
    group: Text16 = ""
    leverage: Int = 0
    balance: float = 0.0
    equity: float = 0.0
    volume: Int = 0
    margin: float = 0.0
    margin_free: float = 0.0
    margin_level: float = 0.0
    margin_type: Int = 0
    level_type: Int = 0


class MarginsFilter(Struct, frozen=True, kw_only=True):
    """Filter of accounts: of groups, as :class:`~.account.GroupFilter` has it, or at a level."""

    group: str | None = None
    level_type: Int | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None


class GroupSecurity(Struct, frozen=True, kw_only=True):
    """``ConGroupSec``: a group's terms for one kind of symbols. ``lot_*`` in lots times 100."""

    show: Int = 0
    trade: Int = 0
    execution: Int = 0
    comm_base: float = 0.0
    comm_type: Int = 0
    comm_lots: Int = 0
    comm_agent: float = 0.0
    comm_agent_type: Int = 0
    spread_diff: Int = 0
    lot_min: Int = 0
    lot_max: Int = 0
    lot_step: Int = 0
    ie_deviation: Int = 0
    confirmation: Int = 0
    trade_rights: Int = 0
    ie_quick_mode: Int = 0
    autocloseout_mode: Int = 0
    comm_tax: float = 0.0
    comm_agent_lots: Int = 0
    freemargin_mode: Int = 0


class GroupMargin(Struct, frozen=True, kw_only=True):
    """``ConGroupMargin``: a group's own terms for one symbol."""

    symbol: Text12
    swap_long: float = 0.0
    swap_short: float = 0.0
    margin_divider: float = 1.0


class GroupRecord(Struct, frozen=True, kw_only=True):
    """A group as the server tells it, without the password of its mail server.

    ``secgroups`` are by ``SymbolRecord.type`` and end with the last that is shown.
    ``margin_call`` and ``margin_stopout`` are in percent or in money (``margin_type``).
    ``margin_mode`` is a :class:`~.types.FreeMarginMode`, ``rights`` a
    :class:`~.types.GroupRight`.
    """

    group: Text16
    enable: Int = 1
    timeout: Int = 0
    otp_mode: Int = 0
    company: Text128 = ""
    signature: Text128 = ""
    support_page: Text128 = ""
    smtp_server: Text64 = ""
    smtp_login: Text32 = ""
    support_email: Text64 = ""
    templates: Text32 = ""
    copies: Int = 0
    reports: Int = 0
    default_leverage: Int = 0
    default_deposit: float = 0.0
    maxsecurities: Int = 0
    secgroups: Annotated[list[GroupSecurity], Meta(max_length=32)] = field(default_factory=list)
    secmargins: Annotated[list[GroupMargin], Meta(max_length=128)] = field(default_factory=list)
    currency: Text12 = ""
    credit: float = 0.0
    margin_call: Int = 0
    margin_mode: Int = 0
    margin_stopout: Int = 0
    interestrate: float = 0.0
    use_swap: Int = 0
    news: Int = 0
    rights: Int = 0
    check_ie_prices: Int = 0
    maxpositions: Int = 0
    close_reopen: Int = 0
    hedge_prohibited: Int = 0
    close_fifo: Int = 0
    hedge_largeleg: Int = 0
    margin_type: Int = 0
    archive_period: Int = 0
    archive_max_balance: Int = 0
    stopout_skip_hedged: Int = 0
    archive_pending_period: Int = 0


class GroupFilter(Struct, frozen=True, kw_only=True):
    """Filter of groups, or of their users: masks with commas, as everywhere in the API:
    ``"demo*,!demo-old"``. ``None``: all.
    """

    group: str | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None


class UsersFilter(Struct, frozen=True, kw_only=True):
    """Filter of users: of groups, as :class:`GroupFilter` has it; enabled ones or not (1, 0); with
    a text in their name, email address, telephone number or comment, in whatever case; registered
    or last seen since a time of the server's clock.
    """

    group: str | None = None
    enable: Int | None = None
    search: Annotated[str, Meta(max_length=128)] | None = None
    regdate_from: Time | None = None
    lastdate_from: Time | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None


class GroupOpParams(Struct, frozen=True, kw_only=True):
    """``UsersGroupOp``: do ``command``, a :class:`~.types.GroupCommand`, to each of ``logins``.

    ``newgroup`` is for ``SETGROUP``, ``leverage`` for ``LEVERAGE``.
    """

    command: Int
    logins: Annotated[list[Login], Meta(min_length=1, max_length=MAX_LOGINS)]
    newgroup: Text16 = ""
    leverage: Int = 0
