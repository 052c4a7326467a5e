"""Login of operators: a name and a password become a token.

Wrong passwords are answered slowly. They are counted by name, whether there is such an operator or
not, and only where the password was wrong: a right one is never refused. On loopback all have one
address and anybody knows a name, so a wait that held for the operator too would be a gift to
whoever wants to keep him out. Guessing is slow enough by the hash, the length of passwords and the
pace of failures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from gateway.audit import Audit
from gateway.credentials.passwords import HashingBusy
from gateway.credentials.tries import delay_s

from .errors import LoginRefused, RateExceeded
from .operators import OperatorBook, key_of
from .tokens import TokenBook

BUSY_S = 1.0
MAX_NAMES = 4096
"""Names that are remembered; then the one that was tried longest ago is forgotten."""


class FailedLogins:
    """Counter of wrong passwords since the start of the gateway.

    Args:
        now_s: seconds that only grow.

    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def failed(self, name: str) -> float:
        """Note a wrong password; return how much too early it came, in seconds, or 0.

        One that came too early says nothing new and makes the wait no longer.
        """
        failures, at_s = self._failed.get(name, (0, 0.0))
        now_s = self._now_s()
        wait_s = delay_s(failures) - (now_s - at_s)
        if failures and wait_s > 0:
            return wait_s
        self._failed[name] = (failures + 1, now_s)
        self._failed.move_to_end(name)
        if len(self._failed) > MAX_NAMES:
            self._failed.popitem(last=False)
        return 0.0

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name: its password was given."""
        self._failed.pop(name, None)


class OperatorLogin:
    """Login of operators by their password.

    Args:
        operators: the people.
        tokens: what they get.
        tries: how often they have failed.
        audit: where it is noted.

    """

    def __init__(
        self, operators: OperatorBook, tokens: TokenBook, tries: FailedLogins, audit: Audit
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
