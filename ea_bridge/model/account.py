"""Account, and the terminal that it is logged in with."""

from __future__ import annotations

from .struct import Digits, Integer, Seconds, Struct, Text


class Account(Struct, frozen=True, kw_only=True):
    """``AccountInfo*``: money in the account's currency, ``margin_level`` in percent.

    What MetaTrader 4 does not know is ``None``. ``paper`` never crosses the wire: its sums are
    those of the gateway's own paper broker.
    """

    login: Integer
    trade_mode: Integer = 0
    leverage: Integer = 0
    limit_orders: Integer | None = None
    margin_so_mode: Integer = 0
    trade_allowed: bool = False
    trade_expert: bool = False
    margin_mode: Integer | None = None
    currency_digits: Digits | None = None
    fifo_close: bool | None = None
    balance: float = 0.0
    credit: float = 0.0
    profit: float = 0.0
    equity: float = 0.0
    margin: float = 0.0
    margin_free: float = 0.0
    margin_level: float = 0.0
    margin_so_call: float = 0.0
    margin_so_so: float = 0.0
    margin_initial: float | None = None
    margin_maintenance: float | None = None
    assets: float | None = None
    liabilities: float | None = None
    commission_blocked: float | None = None
    name: Text = ""
    server: Text = ""
    currency: Text = ""
    company: Text = ""
    paper: bool = False


class Terminal(Struct, frozen=True, kw_only=True):
    """``TerminalInfo*``: ``ping_last`` in microseconds, ``retransmission`` in percent.

    What MetaTrader 4 does not know is ``None``.
    """

    community_account: bool = False
    community_connection: bool = False
    connected: bool = False
    dlls_allowed: bool = False
    trade_allowed: bool = False
    tradeapi_disabled: bool | None = None
    email_enabled: bool = False
    ftp_enabled: bool = False
    notifications_enabled: bool | None = None
    mqid: bool | None = None
    build: Integer = 0
    maxbars: Integer | None = None
    codepage: Integer | None = None
    ping_last: Integer | None = None
    community_balance: float | None = None
    retransmission: float | None = None
    company: Text = ""
    name: Text = ""
    language: Text = ""
    path: Text = ""
    data_path: Text = ""
    commondata_path: Text = ""


class Clock(Struct, frozen=True, kw_only=True):
    """The four clocks of a terminal, in seconds since 1970 as MetaTrader types them.

    ``tcur`` (``TimeCurrent``) and ``tsrv`` (``TimeTradeServer``) are the broker's wall clock
    taken for UTC; ``tcur`` stands still without quotes. ``tgmt`` is the PC's idea of UTC and
    ``tlocal`` its wall clock. MetaTrader 4 has no ``tsrv``.
    """

    tcur: Seconds
    tgmt: Seconds
    tlocal: Seconds
    tsrv: Seconds | None = None
