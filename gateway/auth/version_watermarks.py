"""Newest versions that this daemon has seen, by thing: an older one does not count.

It is the daemon's own memory, apart from the issuer's tables: an issuer that was restored from a
backup, or a record that was put back by hand, does not undo a revocation.

What concerns tokens is written a second time, into the ledger: :class:`Tombstones`. The database
of tokens knows which were revoked, and would forget it where an older copy is put in its place.
So the newest version of each record, whether it was revoked, and the epoch of its leases stand in
the ledger as well; who opens a home believes the newer of both. Only who restores both files, or
the whole home, has what the backup had.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Literal, NamedTuple

from gateway.storage.database_file import UnsafePlace, make_file
from gateway.storage.store import LEDGER, Store, StoreError

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


logger = logging.getLogger(__name__)

TABLES = """
CREATE TABLE seen (
    kind TEXT NOT NULL CHECK (kind IN ('keys', 'rec')),
    id TEXT NOT NULL,
    ver INTEGER NOT NULL,
    revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
"""


SeenKind = Literal["keys", "rec", "state", "epoch"]
"""Key sets by issuer, records and epochs of leases by token, states by device."""


class Watermark(NamedTuple):
    """Newest version that was seen of one thing."""

    version: int
    revoked: bool


NEVER = Watermark(0, False)
TWICE: frozenset[SeenKind] = frozenset({"rec", "epoch"})
"""What stands in the ledger as well. Key sets and states do not: whoever gives them out gives out
newer ones, and a local issuer that was restored must be able to go on with its own."""


class VersionWatermarks:
    """Highest versions and tombstones, in memory, in the store, and a part of them in the ledger.

    Args:
        store: with the table above.
        twin: the ledger's copy; ``None`` for none.

    """

    def __init__(self, store: Store, twin: Tombstones | None = None) -> None:
        self._store = store
        self._twin = twin
        rows = store.all("SELECT kind, id, ver, revoked FROM seen")
        self._marks = {(r["kind"], r["id"]): Watermark(r["ver"], bool(r["revoked"])) for r in rows}
        self._unsaved: set[tuple[SeenKind, str]] = set()
        self._untwinned: set[tuple[SeenKind, str]] = set()
        self._to_forget: set[SeenKind] = set()
        self._compare()

    def _compare(self) -> None:
        """Take over what the ledger knows better, and have it told what it does not know."""
        if self._twin is None:
            return
        own = {key for key in self._marks if key[0] in TWICE}
        theirs: dict[tuple[SeenKind, str], Watermark] = {}
        for kind, thing, version, revoked in self._twin.read():
            for known in TWICE:
                if kind == known:
                    theirs[known, thing] = Watermark(version, revoked)
                    self.note(known, thing, version, revoked)
        self._untwinned = {
            key for key in own | theirs.keys() if self._marks[key] != theirs.get(key)
        }

    @property
    def restored(self) -> dict[str, int]:
        """Revoked tokens, with their versions, whose revocation a restored store does not have
        yet.
        """
        return {
            thing: self._marks[kind, thing].version
            for kind, thing in self._unsaved
            if kind == "rec" and self._marks[kind, thing].revoked
        }

    def of(self, kind: SeenKind, thing: str) -> Watermark:
        """Return what was seen of a thing."""
        return self._marks.get((kind, thing), NEVER)

    def note(self, kind: SeenKind, thing: str, version: int, revoked: bool) -> None:
        """Remember a version; a lower one changes nothing, and a revocation is for good."""
        known = self.of(kind, thing)
        mark = Watermark(max(known.version, version), known.revoked or revoked)
        if mark != known:
            self._marks[kind, thing] = mark
            self._unsaved.add((kind, thing))
            if kind in TWICE and self._twin is not None:
                self._untwinned.add((kind, thing))

    def insist(self, kind: SeenKind, thing: str) -> None:
        """Write once more what is known, since the store speaks of an older version.

        It may have been restored from a backup, and our own table with it.
        """
        self._unsaved.add((kind, thing))

    def save(self) -> bool:
        """Write what is new; if that fails, memory holds it until the next time.

        Returns:
            Whether all is on the disk.

        """
        return self._save_own() and self._save_twin()

    def _save_own(self) -> bool:
        if not self._unsaved:
            return True
        rows = [(*key, *self._marks[key]) for key in self._unsaved]
        try:
            with self._store.transaction() as db:
                db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", rows)
        except StoreError as error:
            logger.error("what was seen of tokens is not saved yet: %s", error)
            return False
        self._unsaved.clear()
        return True

    def _save_twin(self) -> bool:
        if self._twin is None or not (self._untwinned or self._to_forget):
            return True
        rows = [(*key, *self._marks[key]) for key in self._untwinned]
        if not self._twin.write(rows, self._to_forget):
            return False
        self._untwinned.clear()
        self._to_forget.clear()
        return True

    def forget(self, db: Connection, *kinds: SeenKind) -> None:
        """Drop what was seen of some kinds, within a transaction: another console counts anew."""
        for key in [key for key in self._marks if key[0] in kinds]:
            del self._marks[key]
            self._unsaved.discard(key)
            self._untwinned.discard(key)
        if self._twin is not None:
            self._to_forget |= TWICE & set(kinds)
        db.executemany("DELETE FROM seen WHERE kind = ?", [(kind,) for kind in kinds])
