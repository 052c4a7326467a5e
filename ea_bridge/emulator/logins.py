"""Accounts that an emulated terminal can log in to, for ``login_check``.

MetaTrader's EAs cannot log in to another account; programs that use the official package can.
The emulator plays such a program, and the trade servers that it reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ea_bridge import model
from ea_bridge.model.login import AUTH_FAILED, BAD_PATH, NO_CONNECTION, CheckedLogin, LoginParams

from .conditions import OWN_PASSWORD


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
    """The account was not opened; carries the number of :mod:`ea_bridge.model.login`."""

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
