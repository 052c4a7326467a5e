"""Database that is changed at random, and what of it must be there after a power cut."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from random import Random

from .disk import SimulatedDisk

TABLE = "CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"
CHECKPOINTS = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")

Rows = dict[int, bytes]


class RandomDatabase:
    """Two connections to one database that change it until one of them cannot any more.

    Args:
        path: of the database.
        dice: decides on what is written.
        synchronous: as of the pragma.

    """

    def __init__(self, path: Path, dice: Random, synchronous: str = "FULL") -> None:
        self._path = path
        self._dice = dice
        self._synchronous = synchronous
        self.committed: Rows = {}
        self.under_way: Rows | None = None
        """What it would be after a commit that has neither returned nor failed."""
        self.failed: list[Rows] = []
        """What it would be after commits that have failed, since one last returned."""
        self.commits = 0
        self.has_table = False
        self._connections: list[sqlite3.Connection] = []

    def open(self) -> None:
        """Open both connections, and make the table if it is not there."""
        for _ in range(2):
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=0)
            self._connections.append(connection)
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute("PRAGMA wal_autocheckpoint=20")
        if not self.has_table:
            self._connections[0].execute(TABLE)
            self.has_table = True
        elif (found := read_rows(self._connections[0])) in self.failed:
            # its bytes came into the log, and whoever opens the database takes them for committed
            self.committed = found

    def close(self) -> None:
        """Close both; one whose process has died cannot do anything any more."""
        for connection in self._connections:
            with suppress(sqlite3.Error):
                connection.close()
        self._connections.clear()

    def step(self) -> None:
        """Do something: mostly one transaction; checkpoints, reads and reopening now and then.

        Raises:
            sqlite3.Error: of a commit, or of something else, that failed.

        """
        connection = self._dice.choice(self._connections)
        chance = self._dice.random()
        if chance < 0.7:
            self._change(connection)
        elif chance < 0.8:
            connection.execute(f"PRAGMA wal_checkpoint({self._dice.choice(CHECKPOINTS)})")
        elif chance < 0.98:
            assert read_rows(connection) == self.committed
        else:
            self.close()
            self.open()

    def _change(self, connection: sqlite3.Connection) -> None:
        dice, rows = self._dice, dict(self.committed)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for _ in range(dice.randint(1, 4)):
                number = dice.randrange(60)
                if dice.random() < 0.3:
                    connection.execute("DELETE FROM rows WHERE id = ?", (number,))
                    rows.pop(number, None)
                else:
                    rows[number] = dice.randbytes(dice.choice((3, 300, 9000)))
                    connection.execute(
                        "INSERT OR REPLACE INTO rows VALUES (?, ?)", (number, rows[number])
                    )
            if dice.random() < 0.1:
                connection.execute("ROLLBACK")
                return
            self.under_way = rows
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            if self.under_way is not None:
                self.failed.append(self.under_way)
                self.under_way = None
            raise
        self.committed, self.under_way = rows, None
        self.failed.clear()
        self.commits += 1


def read_rows(connection: sqlite3.Connection) -> Rows:
    """Return all rows."""
    return dict(connection.execute("SELECT id, body FROM rows").fetchall())


def found_after(disk: SimulatedDisk, path: Path) -> Rows | None:
    """Open a database anew, check it whole, and return its rows; ``None``: it has no table."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        try:
            return read_rows(connection)
        except sqlite3.OperationalError as error:
            assert "no such table" in str(error)
            return None
    finally:
        connection.close()
        disk.check()
