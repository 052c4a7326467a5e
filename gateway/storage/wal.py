"""Switch of a new SQLite database to write-ahead logging, however many open it at once."""

from __future__ import annotations

import sqlite3

from ea_bridge import host

RETRY_S = 0.01


def begin_wal(connection: sqlite3.Connection, wait_ms: int) -> bool:
    """Turn a database to WAL, which it then stays in.

    SQLite does not wait by itself here while others open the same new file: it says at once that
    the database is locked, whatever its ``busy_timeout``.

    Args:
        connection: outside of a transaction.
        wait_ms: how long to wait for the others, in milliseconds.

    Returns:
        Whether it is in WAL mode; some file systems cannot.

    Raises:
        sqlite3.Error: it cannot be used; ``SQLITE_BUSY``: it was locked all the time.

    """
    deadline = host.monotonic_s() + wait_ms / 1000
    while True:
        try:
            mode: str = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code != sqlite3.SQLITE_BUSY or host.monotonic_s() > deadline:
                raise
            host.sleep(RETRY_S)
        else:
            return mode == "wal"
