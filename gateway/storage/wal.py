"""Write-ahead log of a SQLite database: the switch to it, and the index that tells of commits."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ea_bridge import host

RETRY_S = 0.01
HEADER_BYTES = 48
"""First copy of the header of the index, with a counter, the length of the log and checksums:
https://www.sqlite.org/walformat.html, section 2.1."""


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


class WalIndex:
    """Header of the WAL index of a database, mapped into memory; any thread may read it.

    SQLite writes it at each commit, of any process, before anybody can see what was committed. So
    whoever finds it unchanged knows without a system call that nothing was.

    Args:
        database: a connection to it is open, and is closed before this is.

    Raises:
        OSError: it cannot be mapped here.

    """

    def __init__(self, database: Path) -> None:
        self._page = host.map_file(database.with_name(database.name + "-shm"), HEADER_BYTES)
        self._bytes = self._page.view

    def header(self) -> bytes:
        """Return the header as it is now. It may be half written: then the next one differs."""
        return bytes(self._bytes)

    def close(self) -> None:
        """Let go of it."""
        self._page.close()
