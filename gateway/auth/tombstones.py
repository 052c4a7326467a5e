"""Tombstones: what must not come back with a backup, written a second time into the ledger.

The database of tokens knows which were revoked, and would forget it where an older copy is put in
its place. So the newest version of each record, whether it was revoked, and the epoch of its
leases stand in the ledger as well; who opens a home believes the newer of both. Only who restores
both files, or the whole home, has what the backup had.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path

from gateway.storage.private import UnsafePlace, make_file
from gateway.storage.store import LEDGER

TABLE = """
-- of tokens, as the table seen of gateway.db has it; may be made before all other tables
CREATE TABLE IF NOT EXISTS tombstones (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    ver INTEGER NOT NULL,
    revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
"""
WAIT_S = 0.25
"""For a write of the ledger's own: it takes milliseconds, and who cannot wait tries again."""
_RAISE = """
INSERT INTO tombstones VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE
SET ver = max(ver, excluded.ver), revoked = max(revoked, excluded.revoked)
"""

Row = tuple[str, str, int, bool]
"""Kind, id, version, revoked."""

logger = logging.getLogger(__name__)


class Tombstones:
    """The second copy; opened anew each time, for it is written once in a while.

    Args:
        folder: the home.

    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER

    def read(self) -> list[Row]:
        """Return all there are; none where the ledger is not there, or cannot be read."""
        if not self._path.is_file() or self._path.is_symlink():
            return []
        try:
            with closing(self._open()) as db:
                rows = db.execute("SELECT kind, id, ver, revoked FROM tombstones").fetchall()
        except sqlite3.Error as error:
            if "no such table" not in str(error):  # as before the first one
                logger.error("%s: what was revoked cannot be read there: %s", self._path, error)
            return []
        return [(kind, thing, ver, bool(revoked)) for kind, thing, ver, revoked in rows]

    def write(self, rows: Iterable[Row], forget: Collection[str] = ()) -> bool:
        """Write what is newer than what is there; return whether it is on the disk.

        Args:
            rows: to be remembered.
            forget: kinds that are dropped before.

        """
        try:
            make_file(self._path)
            with closing(self._open()) as db:
                db.execute("BEGIN IMMEDIATE")
                with db:
                    db.execute(TABLE)
                    db.executemany("DELETE FROM tombstones WHERE kind = ?", [(k,) for k in forget])
                    db.executemany(_RAISE, rows)
        except (OSError, sqlite3.Error, UnsafePlace) as error:
            logger.error("%s: what was revoked is not written there yet: %s", self._path, error)
            return False
        return True

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=WAIT_S, isolation_level=None)
        db.execute("PRAGMA synchronous=FULL")
        return db
