"""Bearer tokens of operators: JSON Web Tokens, signed with HS256 by a key of the home.

A token's claims are ``iss``, ``sub`` (the operator), ``iat``, ``exp`` and ``jti``, the id of its
session. The signature alone opens nothing: the session must be in the database, where a hash of
its id is kept until it expires or the operator is signed out.

A token lives for :data:`LIFETIME_S`. In its last :data:`REFRESH_S` each answer brings its
successor: always the same one, so that a hundred requests at once get one token, and the loss of
an answer loses nothing. After :data:`SESSION_S` the password has to be given again.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import jwt
from jwt.types import Options

from ea_bridge import host
from gateway.storage.store import Store

from .operators import Operator, Role

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
    """Issues tokens and lets them in.

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
        operator = Operator(row["name"], Role(row["role"]))
        successor = None
        ends_soon = row["expires_at"] - now_s <= REFRESH_S
        if ends_soon and row["session_ends_at"] > row["expires_at"]:
            successor = self._succeed(session, operator.name, now_s, row["session_ends_at"])
        return Admission(operator, digest, row["expires_at"], successor)

    def recheck(self, admission: Admission, need: Role) -> bool:
        """Whether a token that was let in still opens what needs a role; microseconds."""
        row = self._store.one(
            "SELECT expires_at, role FROM manager_tokens "
            "JOIN manager_operators ON name = operator WHERE digest = ?",
            admission.digest,
        )
        if row is None or self._now_s() >= row["expires_at"]:
            return False
        return Role(row["role"]).includes(need)

    def _session_of(self, token: str) -> str | None:
        """Return the id of a token's session, if the token is one of ours."""
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
