"""The daemon's database: SQLite in the home folder.

WAL with ``synchronous=FULL``: what is committed survives a crash and a power cut. Calls are
synchronous; they take microseconds, commits a fraction of a millisecond. SQL lives beside the
concept that owns the table; each concept hands in its migrations, which only go forward.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DATABASE = "gateway.db"
BUSY_MS = 5000


class StoreError(Exception):
    """The database cannot be used; the message says what to do. Nothing was changed."""


class Store:
    """One connection to the database of a home folder.

    Args:
        home: the folder; made with mode 0700 if it is not there.
        migrations: SQL scripts in their order; the database remembers how many it has had.

    Raises:
        StoreError: the file is no database, is damaged, or was made by a newer version.

    """

    def __init__(self, home: Path, migrations: Sequence[str]) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = home / DATABASE
        _make_private(self.path)
        self._connection = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare(migrations)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise StoreError(
                f"{self.path} cannot be opened ({error.sqlite_errorname}): it is damaged or no "
                "database of ours; restore it from a backup or move it away and start over"
            ) from error
        except StoreError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection; committed data is safe with or without it."""
        self._connection.close()

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of a query, or ``None``."""
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write: all of it or nothing; committed to disk when the block is left."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def data_version(self) -> int:
        """A number that changes whenever another connection has committed."""
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _prepare(self, migrations: Sequence[str]) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        with self.transaction() as connection:
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(migrations):
                raise StoreError(
                    f"{self.path} was made by a newer version of mt-gateway (schema {version}, "
                    f"this one knows {len(migrations)}); install that version or use another home"
                )
            for number, script in enumerate(migrations[version:], start=version + 1):
                for statement in script.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={number}")


def _make_private(path: Path) -> None:
    """Create the file readable by its owner alone, before anything is in it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
