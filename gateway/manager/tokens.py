"""Bearer tokens of operators: ``mgm_`` and 64 hexadecimal digits, of which a hash is kept.

A token lives for :data:`LIFETIME_S`. In its last :data:`REFRESH_S` each answer brings its
successor: always the same one, so that a hundred requests at once get one token, and the loss of
an answer loses nothing. After :data:`SESSION_S` the password has to be given again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.store import Store

from .operators import Operator, Role

LIFETIME_S = 8 * 3600
REFRESH_S = 3600
SESSION_S = 7 * 86_400
MAX_TOKENS = 64
"""Live ones of one operator; when there are more the oldest ends."""
_FORM = re.compile(r"mgm_[0-9a-f]{64}")


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
        key: 32 secret bytes, from which successors are made.
        now_s: seconds since 1970.

    """

    def __init__(
        self, store: Store, key: bytes, now_s: Callable[[], int] = lambda: int(time.time())
    ) -> None:
        self._store = store
        self._key = key
        self._now_s = now_s

    def issue(self, operator: Operator) -> str:
        """Return a new token of an operator whose password was right."""
        token, now_s = f"mgm_{secrets.token_hex(32)}", self._now_s()
        # of an operator who is removed at this moment it opens nothing
        with suppress(sqlite3.IntegrityError), self._store.transaction() as connection:
            self._enter(connection, token, operator.name, now_s, now_s + SESSION_S)
        return token

    def admit(self, token: str) -> Admission | None:
        """Let a token in; ``None`` if it opens nothing, or nothing any more."""
        if not _FORM.fullmatch(token):
            return None
        digest, now_s = _digest(token), self._now_s()
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
            successor = self._succeed(token, operator.name, now_s, row["session_ends_at"])
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

    def _succeed(self, token: str, operator: str, now_s: int, session_ends_s: int) -> str | None:
        made = hmac.digest(self._key, b"refresh|" + token.encode(), "sha256").hex()
        successor = f"mgm_{made}"
        known = "SELECT 1 FROM manager_tokens WHERE digest = ?"
        if self._store.one(known, _digest(successor)) is not None:
            return successor
        with self._store.transaction() as connection:
            # one that was ended since it was let in, by a command, has no successor
            if connection.execute(known, (_digest(token),)).fetchone() is None:
                return None
            self._enter(connection, successor, operator, now_s, session_ends_s)
        return successor

    def _enter(
        self,
        connection: sqlite3.Connection,
        token: str,
        operator: str,
        now_s: int,
        session_ends_s: int,
    ) -> None:
        expires_s = min(now_s + LIFETIME_S, session_ends_s)
        connection.execute("DELETE FROM manager_tokens WHERE expires_at <= ?", (now_s,))
        connection.execute(
            "INSERT OR IGNORE INTO manager_tokens VALUES (?, ?, ?, ?, ?)",
            (_digest(token), operator, now_s, expires_s, session_ends_s),
        )
        connection.execute(
            "DELETE FROM manager_tokens WHERE digest IN (SELECT digest FROM manager_tokens "
            "WHERE operator = ? ORDER BY issued_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (operator, MAX_TOKENS),
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
