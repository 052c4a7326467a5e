"""Lock of a home: any number may have it open, or one alone who exchanges its key.

A process that read the secrets with the old key would seal with it what nobody could open any
more. The lock is SQLite's own, on an empty file beside the database: it works alike on all
systems, and goes with the process that held it, however that ends.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.storage import reserve
from gateway.storage.private import UnsafePlace, make_file
from gateway.storage.store import DiskFull, StoreError

LOCK_FILE = "gateway.lock"
WAIT_S = 5.0
"""For an exchange to end; it takes less than a second."""


class HomeLock:
    """Lock of a home, until it is released.

    Args:
        home: the folder; must be there.
        alone: nobody else may have it open, and nobody can open it meanwhile.

    Raises:
        StoreError: somebody else holds it in a way that does not go together.

    """

    def __init__(self, home: Path, *, alone: bool = False) -> None:
        path = home / LOCK_FILE
        try:
            make_file(path)
            self._lock = sqlite3.connect(path, timeout=0.0 if alone else WAIT_S)
        except UnsafePlace as error:
            raise StoreError(str(error)) from error
        except (OSError, sqlite3.Error) as error:
            if reserve.is_full(error, home):
                reserve.give_up(home)
                raise DiskFull(reserve.full_text(path)) from error
            raise StoreError(f"{path} cannot be opened: {error}") from error
        try:
            self._lock.isolation_level = None
            self._lock.execute("BEGIN EXCLUSIVE" if alone else "BEGIN")
            self._lock.execute("SELECT 1 FROM sqlite_schema").fetchall()  # takes the shared lock
        except sqlite3.Error as error:
            self._lock.close()
            if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise StoreError(f"{path} cannot be locked: {error}") from error
            raise StoreError(
                f"another command of mt-gateway works in {home}; end it, then try again"
                if alone
                else f"the key of {home} is being exchanged; try again when that is done"
            ) from error

    def release(self) -> None:
        """Release the home to others."""
        self._lock.close()
