"""Table of the audit trail: rows are added, never changed, and go once they are archived.

Each row holds on to the row before it by its hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

import orjson

from gateway.storage.store import Store

LABEL = b"mgaud1"
"""The version of the rule: another rule gets another label."""
HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)
"""What the first row holds on to."""


def chained(previous: bytes, n: int, entry: bytes) -> bytes:
    """Return the hash of a row.

    Args:
        previous: hash of the row before it, or :data:`GENESIS`.
        n: its number; the first is 1.
        entry: its bytes as they are stored.

    """
    digest = hashlib.sha256(entry).digest()
    return hashlib.sha256(LABEL + previous + n.to_bytes(8, "big") + digest).digest()


TABLE = """
-- what was done; AUTOINCREMENT has SQLite remember how many rows there ever were
CREATE TABLE audit (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    entry TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is never changed');
END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is never shortened');
END;
-- also against INSERT OR REPLACE, which deletes without asking the trigger above
CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit
WHEN NEW.n IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'audit')
BEGIN
    SELECT RAISE(ABORT, 'the audit trail grows at its end alone');
END;
"""
MARKS = """
-- how far the trail was archived, time after time: the rows up to n lie in files, and may go here;
-- signed is the checkpoint of that row, with which the trail begins from then on
CREATE TABLE audit_marks (
    n INTEGER PRIMARY KEY,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    signed TEXT NOT NULL
) STRICT;
DROP TRIGGER audit_is_not_shortened;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
WHEN OLD.n > (SELECT coalesce(max(n), 0) FROM audit_marks)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is shortened by its archive alone');
END;
"""
TRIGGERS = ("audit_is_not_changed", "audit_is_not_shortened", "audit_grows_at_its_end")

_LAST = """
SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'audit') AS n,
       (SELECT hash FROM audit ORDER BY n DESC LIMIT 1) AS hash
"""
# in one statement: others write meanwhile
_EXTENT = """
SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'audit') AS written,
       (SELECT coalesce(max(n), 0) FROM audit) AS last
"""


@dataclass(frozen=True, slots=True)
class Head:
    """Head of a trail: how long it is, and the hash of its last row."""

    n: int
    hash: bytes


def append(connection: Connection, entry: bytes) -> Head:
    """Add a row, within a transaction that excludes other writers; see ``Store.transaction``.

    Its number counts on from the rows that there ever were: where the last ones were taken away a
    gap stays.

    Returns:
        The new head.

    """
    # within the transaction: another process may have added rows since
    last = head_within(connection)
    n = last.n + 1
    hashed = chained(last.hash, n, entry)
    connection.execute(
        "INSERT INTO audit (n, entry, hash) VALUES (?, ?, ?)", (n, entry.decode(), hashed)
    )
    return Head(n, hashed)


def head_within(connection: Connection) -> Head:
    """Return how far the trail goes, within a transaction."""
    n, hashed = connection.execute(_LAST).fetchone()
    return Head(n or 0, hashed or GENESIS)


def rows_after(store: Store, n: int, most: int) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows behind one, the oldest first, with their numbers; a damaged one is empty."""
    rows = store.all("SELECT n, entry FROM audit WHERE n > ? ORDER BY n LIMIT ?", n, most)
    return [(row["n"], _read(row["entry"])) for row in rows]


def _read(entry: str) -> dict[str, Any]:
    try:
        found = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def last_of(store: Store, event: str) -> tuple[int, bytes] | None:
    """Return the number and the entry of the last row of an event; ``None``: there is none."""
    row = store.one(
        "SELECT n, CAST(entry AS BLOB) AS entry FROM audit WHERE instr(entry, ?) "
        "ORDER BY n DESC LIMIT 1",
        f'"event":"{event}"',
    )
    return None if row is None else (row["n"], row["entry"])


def head_of(store: Store) -> Head:
    """Return how far the trail goes; number 0 for an empty one."""
    row = store.one(_LAST)
    assert row is not None  # two scalar queries give one row
    return Head(row["n"] or 0, row["hash"] or GENESIS)


def begin_of(store: Store) -> Head:
    """Return after which row the trail begins; number 0 where nothing was archived."""
    row = store.one("SELECT n, hash FROM audit_marks ORDER BY n DESC LIMIT 1")
    return Head(0, GENESIS) if row is None else Head(row["n"], bytes(row["hash"]))


def extent_of(store: Store) -> tuple[int, int]:
    """Return how many rows there ever were by SQLite's own count, and the number of the last."""
    row = store.one(_EXTENT)
    assert row is not None  # two scalar queries give one row
    return row["written"], row["last"]


def hash_of(store: Store, n: int) -> bytes | None:
    """Return the hash of a row, or of the last one of an archive; ``None`` where there is none."""
    if n == 0:
        return GENESIS
    row = store.one("SELECT hash FROM audit_marks WHERE n = ?", n)
    row = row or store.one("SELECT hash FROM audit WHERE n = ?", n)
    return None if row is None else bytes(row["hash"])
