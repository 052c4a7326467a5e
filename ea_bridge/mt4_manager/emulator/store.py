"""Database of the emulated server on disk: SQLite, written within each command that changes it.

A command's changes are one transaction, committed before it is answered: a server that is killed
finds on its next start either all of a command or nothing of it. Whether it was carried out is
then in the books, though the table of results may not say it any more.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from ea_bridge.mt4_manager.model import TradeRecord, UserRecord

from .books import BookChanges, Books

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (login INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS trades (number INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS last (login INTEGER NOT NULL, number INTEGER NOT NULL);
"""
_encoder = msgspec.json.Encoder()
_users = msgspec.json.Decoder(UserRecord)
_trades = msgspec.json.Decoder(TradeRecord)


class BookStore:
    """Store of the books in a file.

    Args:
        path: of the file; made if it is not there.

    Raises:
        sqlite3.Error: it cannot be opened, or is no database.

    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)

    def load(self, books: Books) -> bool:
        """Put what is there into empty books; false where there is nothing."""
        rows = self._database.execute("SELECT record FROM users ORDER BY login")
        for (record,) in rows:
            books.restore(_users.decode(record))
        rows = self._database.execute("SELECT record FROM trades ORDER BY number")
        for (record,) in rows:
            books.restore_trade(_trades.decode(record))
        last = self._database.execute("SELECT login, number FROM last").fetchone()
        if last is None:
            return False
        books.last_login, books.last_order = last
        return True

    def save(self, books: Books, changes: BookChanges) -> None:
        """Write what changed, all of it or nothing.

        Raises:
            sqlite3.Error: it could not be written.

        """
        with self._database:  # rolls back on error; the commit is ours
            self._database.execute("BEGIN")
            self._save_users(books, changes)
            self._save_trades(books, changes)
            self._database.execute("DELETE FROM last")
            last = (books.last_login, books.last_order)
            self._database.execute("INSERT INTO last VALUES (?, ?)", last)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _save_users(self, books: Books, changes: BookChanges) -> None:
        there = [login for login in changes.users if login in books.accounts]
        gone = [(login,) for login in changes.users if login not in books.accounts]
        self._database.executemany("DELETE FROM users WHERE login = ?", gone)
        self._database.executemany(
            "INSERT OR REPLACE INTO users VALUES (?, ?)",
            ((login, _encoder.encode(books.accounts[login].user)) for login in there),
        )

    def _save_trades(self, books: Books, changes: BookChanges) -> None:
        found = ((number, books.trade(number)) for number in changes.trades)
        there: list[tuple[int, bytes]] = []
        gone: list[tuple[int]] = []
        for number, trade in found:
            if trade is None:
                gone.append((number,))
            else:
                there.append((number, _encoder.encode(trade)))
        self._database.executemany("DELETE FROM trades WHERE number = ?", gone)
        self._database.executemany("INSERT OR REPLACE INTO trades VALUES (?, ?)", there)
