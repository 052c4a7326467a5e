"""Login to an account, tried by a terminal's side that can log in, such as the agent's."""

from __future__ import annotations

from .struct import Integer, Struct, Text

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
