"""Access of operators: a password becomes a bearer token, which opens so many requests a second.

Wrong passwords are answered slowly. They are counted by name, whether there is such an operator or
not, and only where the password was wrong: a right one is never refused. On loopback all have one
address and anybody knows a name, so a wait that held for the operator too would be a gift to
whoever wants to keep him out. Guessing is slow enough by the hash, the length of passwords and the
pace of failures.

Tokens are JSON Web Tokens, signed with HS256 by a key of the home. A token's claims are ``iss``,
``sub`` (the operator), ``iat``, ``exp`` and ``jti``, the id of its session. The signature alone
opens nothing: the session must be in the database, where a hash of its id is kept until it expires
or the operator is signed out.

A token lives for :data:`LIFETIME_S`. In its last :data:`REFRESH_S` each answer brings its
successor: always the same one, so that a hundred requests at once get one token, and the loss of
an answer loses nothing. After :data:`SESSION_S` the password has to be given again.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import jwt
from jwt.types import Options

from ea_bridge import host
from gateway.audit import Audit
from gateway.credentials.passwords import HashingBusy, delay_s
from gateway.http.rate_limit import RateLimiter
from gateway.storage.store import Store

from .errors import LoginRefused, RateExceeded
from .operators import Operator, OperatorBook, OperatorRole, key_of

BUSY_S = 1.0
MAX_FAILED_NAMES = 4096
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
        # by name alone: on loopback every address is the same
        failures, at_s = self._failed.get(name, (0, 0.0))
        now_s = self._now_s()
        wait_s = delay_s(failures) - (now_s - at_s)
        if failures and wait_s > 0:
            return wait_s
        self._failed[name] = (failures + 1, now_s)
        self._failed.move_to_end(name)
        if len(self._failed) > MAX_FAILED_NAMES:
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
        # the count is looked at after the password: who knows it is never kept out by others
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


LIFETIME_S = 8 * 3600
REFRESH_S = 3600
SESSION_S = 7 * 86_400
MAX_TOKENS = 64
"""Live ones of one operator; when there are more the oldest ends."""
MAX_TOKEN = 1024
"""Characters; ours have about 300."""
ISSUER = "mt-gateway"
ALGORITHM = "HS256"
UNCHECKED: Options = {"verify_exp": False, "verify_iat": False, "require": ["jti"]}


@dataclass(frozen=True)
class Admission:
    """A token that was let in. Times are seconds since 1970."""

    operator: Operator
    digest: bytes = field(repr=False)
    expires_at: int
    successor: str | None = field(default=None, repr=False)
    """The token to use from now on, where this one ends soon."""


class TokenBook:
    """Book of tokens: issues them and lets them in.

    Args:
        store: with the tables of :mod:`~.schema`.
        key: 32 secret bytes, which sign tokens and from which successors are made.
        now_s: seconds since 1970.

    """

    def __init__(
        self, store: Store, key: bytes, now_s: Callable[[], int] = lambda: int(host.wall_s())
    ) -> None:
        self._store = store
        self._key = key
        self._signing_key = hmac.digest(key, b"sign", "sha256")
        self._now_s = now_s

    def issue(self, operator: Operator) -> str:
        """Return a new token of an operator whose password was right."""
        session, now_s = host.token_hex(32), self._now_s()
        expires_s = now_s + LIFETIME_S
        # of an operator who is removed at this moment it opens nothing
        with suppress(sqlite3.IntegrityError), self._store.transaction() as connection:
            self._enter(connection, session, operator.name, now_s, now_s + SESSION_S)
        return self._signed(session, operator.name, now_s, expires_s)

    def admit(self, token: str) -> Admission | None:
        """Let a token in; ``None`` if it opens nothing, or nothing any more."""
        session = self._session_of(token)
        if session is None:
            return None
        digest, now_s = _digest(session), self._now_s()
        row = self._store.one(
            "SELECT expires_at, session_ends_at, name, role FROM manager_tokens "
            "JOIN manager_operators ON name = operator WHERE digest = ?",
            digest,
        )
        if row is None or now_s >= row["expires_at"]:
            return None
        operator = Operator(row["name"], OperatorRole(row["role"]))
        successor = None
        ends_soon = row["expires_at"] - now_s <= REFRESH_S
        if ends_soon and row["session_ends_at"] > row["expires_at"]:
            successor = self._succeed(session, operator.name, now_s, row["session_ends_at"])
        return Admission(operator, digest, row["expires_at"], successor)

    def recheck(self, admission: Admission, need: OperatorRole) -> bool:
        """Whether a token that was let in still opens what needs a role; microseconds."""
        row = self._store.one(
            "SELECT expires_at, role FROM manager_tokens "
            "JOIN manager_operators ON name = operator WHERE digest = ?",
            admission.digest,
        )
        if row is None or self._now_s() >= row["expires_at"]:
            return False
        return OperatorRole(row["role"]).includes(need)

    def _session_of(self, token: str) -> str | None:
        """Return the id of a token's session, if the token is one of ours."""
        # what is no token of ours is not worth a parser
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        # whether it has expired the database tells, by the clock that wrote it
        try:
            claims = jwt.decode(
                token, self._signing_key, [ALGORITHM], issuer=ISSUER, options=UNCHECKED
            )
        except jwt.InvalidTokenError:
            return None
        session = claims["jti"]
        return session if isinstance(session, str) else None

    def _signed(self, session: str, operator: str, issued_s: int, expires_s: int) -> str:
        claims = {
            "iss": ISSUER,
            "sub": operator,
            "iat": issued_s,
            "exp": expires_s,
            "jti": session,
        }
        return jwt.encode(claims, self._signing_key, ALGORITHM)

    def _succeed(self, session: str, operator: str, now_s: int, session_ends_s: int) -> str | None:
        # made from the session and not drawn: two requests at once get the same successor
        following = hmac.digest(self._key, b"refresh|" + session.encode(), "sha256").hex()
        known = "SELECT issued_at, expires_at FROM manager_tokens WHERE digest = ?"
        row = self._store.one(known, _digest(following))
        if row is None:
            with self._store.transaction() as connection:
                # one that was ended since it was let in, by a command, has no successor
                if connection.execute(known, (_digest(session),)).fetchone() is None:
                    return None
                self._enter(connection, following, operator, now_s, session_ends_s)
                # another request may have been first: its times are the token's
                row = connection.execute(known, (_digest(following),)).fetchone()
        if row is None:
            return None
        return self._signed(following, operator, row["issued_at"], row["expires_at"])

    def _enter(
        self,
        connection: sqlite3.Connection,
        session: str,
        operator: str,
        now_s: int,
        session_ends_s: int,
    ) -> None:
        expires_s = min(now_s + LIFETIME_S, session_ends_s)
        # here and not by a timer: the table grows only here
        connection.execute("DELETE FROM manager_tokens WHERE expires_at <= ?", (now_s,))
        connection.execute(
            "INSERT OR IGNORE INTO manager_tokens VALUES (?, ?, ?, ?, ?)",
            (_digest(session), operator, now_s, expires_s, session_ends_s),
        )
        connection.execute(
            "DELETE FROM manager_tokens WHERE digest IN (SELECT digest FROM manager_tokens "
            "WHERE operator = ? ORDER BY issued_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (operator, MAX_TOKENS),
        )


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()


NEVER_S = 3600.0
"""Told to who may ask nothing at all: only a new configuration lets him."""
MAX_RATED_NAMES = 1024
"""Operators whose rate is remembered."""


class Rate:
    """A bucket of requests for each operator: it fills steadily and lets bursts through.

    Args:
        per_second: in the long run; ``None`` for as many as come, 0 for none.
        burst: at once, after a pause.
        now_s: seconds that only grow.

    """

    def __init__(self, per_second: float | None, burst: int, now_s: Callable[[], float]) -> None:
        self._per_second = per_second
        self._limiter = RateLimiter(burst, per_second or 0.0, now_s, MAX_RATED_NAMES)

    def take(self, operator: str) -> None:
        """Count a request.

        Raises:
            RateExceeded: there are too many; it was not counted.

        """
        if self._per_second is None:
            return
        if not self._per_second:
            raise RateExceeded(NEVER_S)
        if wait_s := self._limiter.wait_s(operator):
            raise RateExceeded(wait_s)
