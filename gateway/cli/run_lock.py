"""The lock that a gateway holds in its home while it runs; it goes with the process.

It is SQLite's own, as that of :mod:`gateway.home.home_lock`: it works alike on all systems.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

LOCK_FILE = "run.lock"
LOOKED_AT_S = 1.0
"""For commands that look whether the lock is held: they hold a share of it for a moment."""


class RunLock:
    """The lock, held until it is let go.

    Args:
        home: the folder; must be there.

    Raises:
        sqlite3.Error: another process holds it, or it cannot be locked.

    """

    def __init__(self, home: Path) -> None:
        path = home / LOCK_FILE
        with suppress(FileExistsError):  # never opened otherwise: closing would drop the lock
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        self._lock = sqlite3.connect(path, timeout=LOOKED_AT_S, isolation_level=None)
        try:
            self._lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            self._lock.close()
            raise

    def let_go(self) -> None:
        """End the hold; the file stays, since another may be about to lock it."""
        self._lock.close()


def is_locked(home: Path) -> bool:
    """Whether a gateway runs in a home. Where nobody can tell it counts as running."""
    path = home / LOCK_FILE
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as probe:
            probe.execute("BEGIN")
            probe.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except sqlite3.Error:
        return True
    return False
