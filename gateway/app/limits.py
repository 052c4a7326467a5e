"""Under whose limits a caller trades: the daemon's, the token's and the account's."""

from __future__ import annotations

from collections.abc import Callable

from ea_bridge.registry import Facts
from gateway.config import Trading
from gateway.credentials.record import TradeLimits
from gateway.trading.checks.limits import Limits, of_config, of_record, strictest

OfAccount = Callable[[int, str], Limits]
"""The limits that an account (login, server) was registered with."""


def no_account(login: int, server: str) -> Limits:
    """Of an account that nobody has registered."""
    return Limits()


class LimitsBook:
    """The limits of all callers.

    Args:
        trading: what the configuration says.
        of_token: what the record of a token says, by its id.
        of_account: what an account was registered with.

    """

    def __init__(
        self,
        trading: Trading,
        of_token: Callable[[str], TradeLimits],
        of_account: OfAccount = no_account,
    ) -> None:
        self._of_config = of_config(trading)
        self._of_token = of_token
        self._of_account = of_account

    def of(self, facts: Facts | None, tid: str | None) -> Limits:
        """Return the strictest of all.

        Args:
            facts: of the terminal.
            tid: of the caller's token; ``None`` for what the gateway does by itself.

        """
        limits = [self._of_config]
        if tid is not None:
            limits.append(of_record(self._of_token(tid)))
        if facts is not None:
            limits.append(self._of_account(facts.hello.login, facts.hello.server))
        return strictest(*limits)
