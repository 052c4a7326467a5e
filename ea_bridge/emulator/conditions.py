"""Conditions of an emulated terminal: its account, its broker's terms, its files, other logins.

MetaTrader's EAs cannot log in to another account; programs that use the official package can.
For ``login_check`` the emulator plays such a program, and the trade servers that it reaches.

The command line needs these without a market or a broker: nothing here imports them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ea_bridge import model
from ea_bridge.model.account import AUTH_FAILED, BAD_PATH, NO_CONNECTION, CheckedLogin, LoginParams

OWN_PASSWORD = "emulator"  # noqa: S105 - of an account that does not exist
"""Of the account that the terminal itself is logged in to, unless it is given another."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Account and the broker's terms; what is ``None`` is as the specifications have it."""

    netting: bool = False
    """One position a symbol, instead of hedging."""
    live: bool = False
    """The account says that its money is real."""
    login: int | None = None
    password: str = field(default=OWN_PASSWORD, repr=False)
    balance: float = 10_000.0
    """Of a new account."""
    leverage: int | None = None
    stops_level: int | None = None
    """Points that stops and pending orders must lie away from the market."""
    freeze_level: int | None = None
    """Points around the market in which nothing can be changed."""
    execution: Literal["market", "instant"] | None = None
    """``instant``: at the price of the request, or a requote."""
    requotes: int = 0
    """So many of the next requests are requoted."""
    most_lots: float | None = None
    """Most that the market offers to one fill."""


@dataclass(frozen=True, kw_only=True)
class TerminalFiles:
    """Files in which a terminal keeps its state between runs."""

    folder: Path
    name: str
    """Of the terminal; another one has other files."""

    @property
    def device(self) -> Path:
        """Daemon that it belongs to."""
        return self._file("device.txt")

    @property
    def results(self) -> Path:
        """Results of its last trades."""
        return self._file("results.txt")

    @property
    def trails(self) -> Path:
        """The stops that follow the market."""
        return self._file("trails.json")

    @property
    def books(self) -> Path:
        """The account at the broker."""
        return self._file("books.db")

    def _file(self, what: str) -> Path:
        return self.folder / f"{self.name}-{what}"


@dataclass(frozen=True, kw_only=True)
class KnownLogin:
    """An account at some trade server."""

    login: int
    password: str = field(repr=False)
    server: str
    company: str = "mt-gateway emulator"
    currency: str = "USD"
    trade_mode: int = 0
    balance: float = 10_000.0
    leverage: int = 100


EXAMPLE_LOGINS = (
    KnownLogin(
        login=12345678,
        password="MyMT5Password",  # noqa: S106 - of the documentation's example
        server="MetaQuotes-Demo",
        company="MetaQuotes",
    ),
)
"""Known to every emulated terminal, so that the examples of the documentation work."""


class LoginFailed(Exception):
    """The account was not opened; carries the number of :mod:`ea_bridge.model.account`."""

    def __init__(self, err: int, message: str) -> None:
        super().__init__(message)
        self.err = err


class KnownLogins:
    """Accounts against which logins are checked, as trade servers do it.

    Args:
        own: the account of the terminal itself, as it is now.
        known: others that can be logged in to.
        password: of the terminal's own account.

    """

    def __init__(
        self,
        own: Callable[[], model.Account],
        known: Iterable[KnownLogin] = EXAMPLE_LOGINS,
        *,
        password: str = OWN_PASSWORD,
    ) -> None:
        self._own = own
        self._password = password
        self.known = list(known)
        """May be changed while the terminal runs."""
        self.programs: set[str] = set()
        """Paths of the terminals that may be started beside the own one, which needs none."""

    def check(self, params: LoginParams) -> CheckedLogin:
        """Return the account; servers are found without regard to case.

        Raises:
            LoginFailed: login and password do not fit, there is no such server, or the program
                that ``params`` name may not be started.

        """
        if params.path and params.path not in self.programs:
            raise LoginFailed(BAD_PATH, "that program may not be started")
        own = self._own()
        server = params.server.casefold()
        if server == own.server.casefold() and params.login == own.login:
            if params.password != self._password:
                raise LoginFailed(AUTH_FAILED, "authorization failed")
            return _opened(own)
        # names of servers are found in whatever case, as MetaTrader does
        there = [login for login in self.known if login.server.casefold() == server]
        if not there and server != own.server.casefold():
            raise LoginFailed(NO_CONNECTION, "no such trade server")
        for login in there:
            if (login.login, login.password) == (params.login, params.password):
                return _known(login)
        raise LoginFailed(AUTH_FAILED, "authorization failed")


def _opened(account: model.Account) -> CheckedLogin:
    return CheckedLogin(
        **{name: getattr(account, name) for name in CheckedLogin.__struct_fields__}
    )


def _known(login: KnownLogin) -> CheckedLogin:
    return CheckedLogin(
        login=login.login,
        server=login.server,
        name=f"Account {login.login}",
        company=login.company,
        currency=login.currency,
        trade_mode=login.trade_mode,
        leverage=login.leverage,
        balance=login.balance,
        equity=login.balance,
        margin_free=login.balance,
    )
