"""Account, logins to it, and the terminal that it is logged in with.

A login is tried by a terminal's side that can log in, such as the agent's.
"""

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


AUTH_FAILED, NO_CONNECTION, BAD_PATH = -6, -10005, -10003
"""``err`` of ``login_check``, as the MetaTrader5 package counts: the server refused login or
password; it could not be reached, or there is none of that name; the program at ``path`` is not
there, or may not be started. Any other number means that the login could not be tried."""


class LoginParams(Struct, frozen=True, kw_only=True):
    """An account to log in to, as ``mt5.initialize`` takes it."""

    login: int
    password: str
    server: str
    path: str | None = None
    """Of the terminal's program, where it is not that which answers. It comes from a caller of
    the API: only a program that the peer's own settings list may be started."""

    def __repr__(self) -> str:
        return f"LoginParams(login={self.login}, server={self.server!r})"  # no password in a log


class CheckedLogin(Struct, frozen=True, kw_only=True):
    """The account that a login opened. Money in ``currency``, ``margin_level`` in percent.

    It is not the account of the terminal that was asked, and therefore no
    :class:`~.account.Account`: to a session that would mean that the terminal has changed its own.
    """

    login: Integer
    server: Text
    name: Text = ""
    company: Text = ""
    currency: Text = ""
    trade_mode: Integer = 0
    leverage: Integer = 0
    balance: float = 0.0
    equity: float = 0.0
    margin: float = 0.0
    margin_free: float = 0.0
    margin_level: float = 0.0
    profit: float = 0.0
