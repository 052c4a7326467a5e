"""Operators: who may use the manager API, and how far.

They are made by ``mt-gateway manager-user``; there is none at first. A new password or role, and a
removal, end or change what their tokens open at once, in a gateway that runs as well.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ea_bridge import host
from gateway.credentials.passwords import Passwords, UnacceptablePassword, check_strength
from gateway.storage.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


class OperatorRole(StrEnum):
    """Role of an operator; each may do what those before it may."""

    READ = "read"
    """Look."""
    OPERATOR = "operator"
    """Users, money, mail, group operations."""
    ADMIN = "admin"
    """The connection, trades, the deletion of users, the server's configuration."""

    def includes(self, other: OperatorRole) -> bool:
        """Whether who has this role may do what the other one may."""
        order = list(OperatorRole)
        return order.index(self) >= order.index(other)


class OperatorError(Exception):
    """It cannot be done; the message says why and what to do."""


@dataclass(frozen=True)
class Operator:
    """One of them; ``created_at`` in seconds since 1970, UTC."""

    name: str
    role: OperatorRole
    created_at: int = 0


class OperatorBook:
    """The operators of a home.

    Args:
        store: with the tables of :mod:`~.schema`.
        passwords: hashes theirs.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        now_s: Callable[[], int] = lambda: int(host.wall_s()),
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._now_s = now_s

    async def add(self, name: str, password: str, role: OperatorRole) -> Operator:
        """Make an operator.

        Raises:
            OperatorError: the name is taken or none, or the password is weak.

        """
        name = _checked_name(name)
        hashed = await self._hash(name, password)
        made = Operator(name, role, self._now_s())
        try:
            with self._store.transaction() as connection:
                connection.execute(
                    "INSERT INTO manager_operators VALUES (?, ?, ?, ?)",
                    (name, role.value, hashed, made.created_at),
                )
        except sqlite3.IntegrityError:
            raise OperatorError(
                f"there is an operator {name}; set a new password or role instead"
            ) from None
        return made

    def all(self) -> list[Operator]:
        """Return all operators by their names."""
        rows = self._store.all(
            "SELECT name, role, created_at FROM manager_operators ORDER BY name"
        )
        return [
            Operator(row["name"], OperatorRole(row["role"]), row["created_at"]) for row in rows
        ]

    def get(self, name: str) -> Operator | None:
        """Return an operator as the database has him now, ``None`` if there is none."""
        row = self._store.one("SELECT * FROM manager_operators WHERE name = ?", name)
        return (
            None if row is None else Operator(name, OperatorRole(row["role"]), row["created_at"])
        )

    def remove(self, name: str) -> None:
        """Remove an operator, and his tokens.

        Raises:
            OperatorError: there is none.

        """
        self._change("DELETE FROM manager_operators WHERE name = ?", name)

    def set_role(self, name: str, role: OperatorRole) -> None:
        """Give an operator another role; it counts from his next request on.

        Raises:
            OperatorError: there is none.

        """
        self._change("UPDATE manager_operators SET role = ? WHERE name = ?", name, role.value)

    async def set_password(self, name: str, password: str) -> None:
        """Give an operator another password; his tokens end.

        Raises:
            OperatorError: there is none, or the password is weak.

        """
        hashed = await self._hash(name, password)
        self._change("UPDATE manager_operators SET password = ? WHERE name = ?", name, hashed)
        self.sign_out(name)

    def sign_out(self, name: str) -> int:
        """End all tokens of an operator; return how many there were.

        Raises:
            OperatorError: there is none.

        """
        if self.get(key_of(name)) is None:
            raise _unknown(name)
        with self._store.transaction() as connection:
            ended = connection.execute(
                "DELETE FROM manager_tokens WHERE operator = ?", (key_of(name),)
            )
            return ended.rowcount

    async def verify(self, name: str, password: str) -> Operator | None:
        """Return the operator of a name and password; ``None``, after as long, if they do not
        fit, or no longer do once they were looked at.

        Raises:
            HashingBusy: too many passwords are being checked.

        """
        # without an operator a password is hashed all the same: the time must not tell who exists
        row = self._store.one("SELECT * FROM manager_operators WHERE name = ?", name)
        stored = None if row is None else str(row["password"])
        verified = await self._passwords.verify(stored, password)
        if not verified.ok:
            return None
        # as he is by now: hashing takes its time, and a password that was exchanged meanwhile
        # must not open a session that outlives it
        now = self._store.one(
            "SELECT * FROM manager_operators WHERE name = ? AND password = ?", name, stored
        )
        return (
            None if now is None else Operator(name, OperatorRole(now["role"]), now["created_at"])
        )

    async def _hash(self, name: str, password: str) -> str:
        try:
            check_strength(password, name)
        except UnacceptablePassword as error:
            raise OperatorError(str(error)) from None
        return await self._passwords.hash(password)

    def _change(self, sql: str, name: str, *values: str) -> None:
        with self._store.transaction() as connection:
            changed = connection.execute(sql, (*values, key_of(name))).rowcount
        if not changed:
            raise _unknown(name)


def key_of(name: str) -> str:
    """Return the name by which an operator is found, whoever typed it."""
    return name.strip().lower()


def _unknown(name: str) -> OperatorError:
    return OperatorError(f"there is no operator {name}; mt-gateway manager-user list")


def _checked_name(name: str) -> str:
    key = key_of(name)
    if not _NAME.fullmatch(key):
        raise OperatorError(
            "a name has 1 to 64 letters, digits and . _ @ + -, and begins with a letter or digit"
        )
    return key
