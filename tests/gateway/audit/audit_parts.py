"""What the tests of the audit trail share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection

from gateway.audit import MARKS, TABLE, note
from gateway.audit.table import GENESIS, chained
from gateway.storage.ledger import DATABASE
from gateway.storage.store import Store

_MADE = {
    name: statement
    for statement, name in re.findall(r"(CREATE TRIGGER (\w+).*?END;)", TABLE + MARKS, re.DOTALL)
}
"""As they are in the end: one is made anew with the archive."""


def trail_of(folder: Path, rows: int) -> Store:
    """Return a ledger's file with a trail of so many rows; the caller closes it."""
    store = Store(folder, [TABLE, MARKS], database=DATABASE)
    with store.transaction() as connection:
        for number in range(1, rows + 1):
            note(connection, "order", object=f"order {number}", outcome="done", volume=0.1)
    return store


class Undone(Exception):
    """Ends a transaction so that nothing of it stays."""


@contextmanager
def tampering(store: Store) -> Iterator[Connection]:
    """Yield what writes past all triggers, as one who owns the file can; it is undone after.

    What the block looks at inside is the tampered trail with its triggers in place again: call
    :func:`cover_up` first.
    """
    try:
        with store.transaction() as connection:
            for name in _MADE:
                connection.execute(f"DROP TRIGGER {name}")
            yield connection
            raise Undone
    except Undone:
        pass


def cover_up(connection: Connection) -> None:
    """Put the triggers back and let SQLite's count fit the rows that are left."""
    for statement in _MADE.values():
        connection.execute(statement)
    connection.execute(
        "UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(n), 0) FROM audit)"
        " WHERE name = 'audit'"
    )


def rebuild(connection: Connection) -> None:
    """Number the rows anew and compute every hash anew, as one who knows the rule can."""
    found = connection.execute("SELECT entry FROM audit ORDER BY n").fetchall()
    connection.execute("DELETE FROM audit")
    previous = GENESIS
    for n, (entry,) in enumerate(found, 1):
        previous = chained(previous, n, entry.encode())
        connection.execute("INSERT INTO audit VALUES (?, ?, ?)", (n, entry, previous))
