"""Login: a name and a password become a token."""

from __future__ import annotations

from gateway.audit import Audit
from gateway.credentials.passwords import HashingBusy

from .errors import LoginRefused, RateExceeded
from .operators import OperatorBook, key_of
from .tokens import TokenBook
from .tries import Tries

BUSY_S = 1.0


class Login:
    """Lets operators in by their password.

    Args:
        operators: the people.
        tokens: what they get.
        tries: how often they have failed.
        audit: where it is noted.

    """

    def __init__(
        self, operators: OperatorBook, tokens: TokenBook, tries: Tries, audit: Audit
    ) -> None:
        self._operators = operators
        self._tokens = tokens
        self._tries = tries
        self._audit = audit

    async def log_in(self, username: str, password: str) -> str:
        """Return a new token.

        A name that there is not takes as long, and is counted like any other.

        Raises:
            LoginRefused: they do not fit.
            RateExceeded: too many passwords are being checked.

        """
        name = key_of(username)
        try:
            operator = await self._operators.verify(name, password)
        except HashingBusy:
            raise RateExceeded(BUSY_S, "Too many log in at this moment; try again") from None
        if operator is None:
            wait_s = self._tries.failed(name)
            self._note("too_many_tries" if wait_s else "wrong", name)
            raise LoginRefused(wait_s)
        self._tries.succeeded(name)
        token = self._tokens.issue(operator)
        self._audit.record("manager_login", actor=f"manager:{operator.name}")
        return token

    def _note(self, reason: str, name: str) -> None:
        """Whoever guesses names and passwords writes no trail of any length."""
        self._audit.often(
            "manager_login_refused", outcome="refused", reason=reason, object=name[:64]
        )
