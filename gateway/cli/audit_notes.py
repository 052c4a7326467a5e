"""Notes of commands in the audit trail of a home."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

BUSY_S = 5.0
"""How long the note waits for the daemon's own writes."""


def note_in(home: Path, event: str, **fields: Any) -> None:
    """Note what was done, whether a gateway runs in the home or not.

    What was done stands either way: if the note cannot be written a line on stderr says so.

    Args:
        home: whose trail.
        event: what was done, such as ``token_created``.
        fields: as with :meth:`gateway.audit.recorder.Audit.record`.

    """
    from gateway.storage.database_file import UnsafePlace
    from gateway.storage.reserve import give_up, is_full
    from gateway.storage.store import StoreError

    failures = (OSError, sqlite3.Error, StoreError, UnsafePlace)
    try:
        try:
            _note(home, event, fields)
        except failures as error:
            if not (is_full(error, home) and give_up(home)):
                raise
            _note(home, event, fields)  # in the room that the home had kept
    except failures as error:
        sys.stderr.write(f"not in the audit trail of {home}: {event}: {error}\n")


def _note(home: Path, event: str, fields: dict[str, Any]) -> None:
    from gateway.audit import note

    with closing(_open(home)) as connection:
        # the rows are a chain: the last one must not change between reading and writing
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            note(connection, event, actor="cli", **fields)


def _open(home: Path) -> sqlite3.Connection:
    """Open the ledger as it is; make its tables where no gateway of this version has run yet."""
    from gateway.storage.database_file import check_file
    from gateway.storage.store import LEDGER

    path = home / LEDGER
    # root may run this: it writes nowhere that another user leads it
    check_file(path)
    if not (path.exists() and _has_trail(path)):
        # all tables of the ledger come together, and take a moment to import
        from gateway.home.ledger import open_ledger_store

        open_ledger_store(home).close()
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _has_trail(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as connection:
        found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'audit'").fetchone()
    return found is not None
