"""``ConGroup``: the terms that a group of accounts trades under."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from ea_bridge.model.struct import Struct

from .fields import Int, Login, Text12, Text16, Text32, Text64, Text128, Time
from .user import MAX_LOGINS


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
    ``margin_mode`` is a :class:`~.enums.FreeMarginMode`, ``rights`` a
    :class:`~.enums.GroupRight`.
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
    """``UsersGroupOp``: do ``command``, a :class:`~.enums.GroupCommand`, to each of ``logins``.

    ``newgroup`` is for ``SETGROUP``, ``leverage`` for ``LEVERAGE``.
    """

    command: Int
    logins: Annotated[list[Login], Meta(min_length=1, max_length=MAX_LOGINS)]
    newgroup: Text16 = ""
    leverage: Int = 0
