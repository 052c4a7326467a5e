"""``TradeRecord``: an order, a position, or a balance or credit operation; open or closed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ea_bridge.model.struct import Struct

from .types import Int, Login, Text12, Text16, Text32, Ticket, Time, TransactionType

Volume = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Lots times 100: 2 is 0.02 lots."""


MAX_ORDERS = 10_000
"""Trades that one command can name."""


class TradeRecord(Struct, frozen=True, kw_only=True):
    """A trade as the server tells it.

    ``cmd`` is a :class:`~.types.TradeCommand`, ``state`` a :class:`~.types.TradeState`,
    ``reason`` a :class:`~.types.TradeReason`. ``close_time`` 0: it is open; then ``close_price``
    is the market's and ``profit`` floats. ``storage`` is the swap. ``margin_rate`` converts the
    margin's currency into the account's, ``conv_rates`` the profit's at opening and at closing.

    Of a balance or credit operation ``profit`` is the amount, ``symbol`` is empty and
    ``open_time`` is ``close_time``.
    """

    order: Ticket
    login: Login
    symbol: Text12 = ""
    digits: Int = 0
    cmd: Int
    volume: Volume = 0
    open_time: Time = 0
    state: Int = 0
    open_price: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    close_time: Time = 0
    gw_volume: Int = 0
    expiration: Time = 0
    reason: Int = 0
    conv_rates: tuple[float, float] = (0.0, 0.0)
    commission: float = 0.0
    commission_agent: float = 0.0
    storage: float = 0.0
    close_price: float = 0.0
    profit: float = 0.0
    taxes: float = 0.0
    magic: Int = 0
    comment: Text32 = ""
    gw_order: Int = 0
    activation: Int = 0
    gw_open_price: Int = 0
    gw_close_price: Int = 0
    margin_rate: float = 0.0
    timestamp: Time = 0


class TradeChange(Struct, frozen=True, kw_only=True):
    """Change of a trade by an administrator; ``None`` stays as it is.

    The peer reads the whole record, changes these members and writes it back. Whose trade it is,
    its number and whether it is closed do not change.
    """

    symbol: Text12 | None = None
    cmd: Int | None = None
    volume: Volume | None = None
    open_time: Time | None = None
    open_price: float | None = None
    sl: float | None = None
    tp: float | None = None
    close_time: Time | None = None
    close_price: float | None = None
    expiration: Time | None = None
    commission: float | None = None
    commission_agent: float | None = None
    storage: float | None = None
    profit: float | None = None
    taxes: float | None = None
    magic: Int | None = None
    comment: Text32 | None = None


class TransactionParams(Struct, frozen=True, kw_only=True):
    """``TradeTransaction``: a balance or credit operation (``TT_BR_BALANCE``).

    ``orderby`` is the client's login, ``price`` the amount with its sign, ``cmd`` ``OP_BALANCE``
    or ``OP_CREDIT``. Credit that is given needs its ``expiration``.
    """

    type: Int = int(TransactionType.BR_BALANCE)
    cmd: Int
    orderby: Login
    price: float
    comment: Text32 = ""
    expiration: Time = 0


class Transacted(Struct, frozen=True, kw_only=True):
    """Result of a balance or credit operation: the trade that books it; 0 where the server
    did not tell its number.
    """

    order: Ticket


class OpenTradesFilter(Struct, frozen=True, kw_only=True):
    """Filter of open trades, pending orders among them.

    ``group`` as :class:`~.account.GroupFilter` has it.
    """

    group: str | None = None
    login: Login | None = None
    symbol: Text12 | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None


class LoginTradesParams(Struct, frozen=True, kw_only=True):
    """``TradesGetByLogin``; ``group`` is the user's own, and may be left empty."""

    login: Login
    group: Text16 = ""
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None


class TradeHistoryParams(Struct, frozen=True, kw_only=True):
    """``TradesUserHistory``: what was closed in ``from_s <= close_time <= to_s``, server time."""

    login: Login
    from_s: Time
    to_s: Time
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None


class AdminTradesParams(Struct, frozen=True, kw_only=True):
    """``AdmTradesRequest``: trades of groups, open ones or all."""

    group: str
    open_only: Int = 0
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None


class AdminModifyParams(Struct, frozen=True, kw_only=True):
    """``AdmTradeRecordModify``: change what ``change`` says of one trade.

    The server changes the record alone: neither this nor a deletion moves a balance, which is why
    the API has ``AdmBalanceFix``. With ``fix_balance`` above 0 the peer calls it afterwards for
    the accounts concerned, and balance and credit are again what their history adds up to.
    """

    order: Ticket
    change: TradeChange
    fix_balance: Int = 1


class OrdersParams(Struct, frozen=True, kw_only=True):
    """``TradeRecordsRequest``: trades by their numbers."""

    orders: Annotated[list[Ticket], Meta(min_length=1, max_length=MAX_ORDERS)]


class AdminDeleteParams(Struct, frozen=True, kw_only=True):
    """``AdmTradesDelete``: remove trades from the database, all of them or none.

    ``fix_balance`` as in :class:`AdminModifyParams`.
    """

    orders: Annotated[list[Ticket], Meta(min_length=1, max_length=MAX_ORDERS)]
    fix_balance: Int = 1
