"""Books of an emulated account in a file, so that a terminal goes on where it was."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from ea_bridge.simulation.broker import Broker
from ea_bridge.simulation.broker.broker import BookRows

BUSY_S = 0.2
"""For one who looks at the file: nothing else of the terminal goes on meanwhile."""
_log = logging.getLogger(__name__)
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT NOT NULL,
    ticket INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, ticket)
) STRICT, WITHOUT ROWID;
"""
"""``facts``: when the books changed last, by the broker's clock, and the next tickets."""


class BooksUnreadable(Exception):
    """The file is there and is no book of ours; the message names it."""


class BookFile:
    """Books of one account on disk, written before anybody is told of a change.

    A process that is killed loses nothing of what it has answered. A machine that loses its power
    may lose the last moment: nothing here is worth a wait for the disk.

    Args:
        path: of the file; made if it is missing.

    Raises:
        BooksUnreadable: it cannot be read.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = BookRows()
        self._version = -1
        self._anew = False
        """The rows of the file may be old: all are written anew."""
        self._db = sqlite3.connect(path, timeout=BUSY_S)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise self._unreadable() from error

    def load(self, broker: Broker) -> bool:
        """Put what is kept into a new broker; return whether there was anything.

        Raises:
            BooksUnreadable: it cannot be read.

        """
        try:
            facts = dict(self._db.execute("SELECT name, value FROM facts"))
            rows = self._db.execute("SELECT kind, body FROM rows ORDER BY kind, ticket")
            if not self._rows.load(broker, rows, facts.get("time_msc", 0)):
                return False
        except (sqlite3.Error, ValueError, LookupError) as error:
            raise self._unreadable() from error
        broker.books.continue_above(facts.get("next_order", 0), facts.get("next_deal", 0))
        return True

    def save(self, broker: Broker, now_msc: int) -> None:
        """Write what has changed, if anything has.

        Where the disk takes nothing the account goes on in memory: a bot that is tried must be
        able to close what it has. All of it is written as soon as something can be.
        """
        books = broker.books
        if books.version == self._version:
            return
        gone, fresh = self._rows.changes(broker)
        try:
            self._write(broker, now_msc, gone, fresh)
        except sqlite3.Error:
            # nobody knows which rows are in the file now, so the next write is a whole one
            _log.exception("the emulated account is not written to %s", self._path)
            self._rows, self._anew = BookRows(), True
        else:
            self._version, self._anew = books.version, False

    def _write(
        self,
        broker: Broker,
        now_msc: int,
        gone: list[tuple[str, int]],
        fresh: list[tuple[str, int, str]],
    ) -> None:
        books = broker.books
        facts = {
            "time_msc": now_msc,
            "next_order": books.next_order_ticket,
            "next_deal": books.next_deal_ticket,
        }
        # one transaction: rows and tickets agree, whenever the process dies
        with self._db:
            if self._anew:
                self._db.execute("DELETE FROM rows")
            self._db.executemany("DELETE FROM rows WHERE kind = ? AND ticket = ?", gone)
            self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", fresh)
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _unreadable(self) -> BooksUnreadable:
        return BooksUnreadable(
            f"{self._path} is damaged: move it away, and the emulated account begins anew"
        )
