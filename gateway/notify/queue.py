"""Queue of notes on the disk, one line a recipient, bounded; ``notify.db`` in the home.

A file of its own: nothing that waits here is ever written together with an order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from sqlite3 import Connection

import msgspec

from gateway.notify.notes import Note
from gateway.storage.store import Store

DATABASE = "notify.db"
MAX_WAITING = 1000
"""Notes for one recipient; beyond that the oldest go, and their number is told."""
MAX_AGE_MS = 86_400_000
"""Older notes are news no more: they go as well."""
TABLES = (
    """
CREATE TABLE notes (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL,
    time INTEGER NOT NULL,
    note BLOB NOT NULL
) STRICT;
CREATE INDEX notes_of ON notes (recipient, n);

-- how many went unsent, until the recipient was told so
CREATE TABLE dropped (
    recipient TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;

-- the last row of the audit trail of which notes were made
CREATE TABLE trail (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    n INTEGER NOT NULL
) STRICT;
""",
)

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Note).decode


class NoteQueue:
    """The file, open; for any thread, one at a time.

    Args:
        home: the folder.

    Raises:
        StoreError: the database cannot be used; the message says what to do.

    """

    def __init__(self, home: Path) -> None:
        self._store = Store(home, TABLES, database=DATABASE, shared=True)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def keep_only(self, recipients: Collection[str]) -> None:
        """Delete what waits for recipients who are not configured any more."""
        with self._store.transaction() as connection:
            known = connection.execute(
                "SELECT recipient FROM notes UNION SELECT recipient FROM dropped"
            ).fetchall()
            for (recipient,) in known:
                if recipient not in recipients:
                    connection.execute("DELETE FROM notes WHERE recipient = ?", (recipient,))
                    connection.execute("DELETE FROM dropped WHERE recipient = ?", (recipient,))

    def trail_position(self) -> int | None:
        """Return the last row of the trail of which notes were made; ``None``: none ever was."""
        row = self._store.one("SELECT n FROM trail")
        return None if row is None else int(row["n"])

    def add(self, notes: Sequence[Note], recipients: Collection[str], trail_n: int) -> None:
        """Add notes for all recipients, and the position in the trail with them.

        Raises:
            StoreError: nothing was added.

        """
        with self._store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO trail VALUES (1, ?)", (trail_n,))
            for recipient in recipients:
                connection.executemany(
                    "INSERT INTO notes (recipient, time, note) VALUES (?, ?, ?)",
                    [(recipient, note.time, _encode(note)) for note in notes],
                )
                gone = connection.execute(
                    "DELETE FROM notes WHERE recipient = ?1 AND n <= (SELECT n FROM notes "
                    "WHERE recipient = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
                    (recipient, MAX_WAITING),
                ).rowcount
                _count(connection, recipient, gone)

    def take(self, recipient: str, most: int, now_ms: int) -> tuple[int, list[tuple[int, Note]]]:
        """Return what a recipient is to be told next, the oldest first; it stays until it is done.

        Returns:
            How many notes went unsent before these, and the notes with their numbers.

        """
        with self._store.transaction() as connection:
            gone = connection.execute(
                "DELETE FROM notes WHERE recipient = ? AND time < ?",
                (recipient, now_ms - MAX_AGE_MS),
            ).rowcount
            _count(connection, recipient, gone)
        rows = self._store.all(
            "SELECT n, note FROM notes WHERE recipient = ? ORDER BY n LIMIT ?", recipient, most
        )
        dropped = self._store.one("SELECT number FROM dropped WHERE recipient = ?", recipient)
        number = 0 if dropped is None else int(dropped["number"])
        return number, [(row["n"], _decode(row["note"])) for row in rows]

    def done(self, recipient: str, numbers: Sequence[int], dropped: int) -> None:
        """Delete notes that were taken, and forget a number that was told."""
        with self._store.transaction() as connection:
            connection.executemany("DELETE FROM notes WHERE n = ?", [(n,) for n in numbers])
            if dropped:
                connection.execute(
                    "UPDATE dropped SET number = number - ? WHERE recipient = ?",
                    (dropped, recipient),
                )
                connection.execute("DELETE FROM dropped WHERE number <= 0")


def _count(connection: Connection, recipient: str, gone: int) -> None:
    if gone > 0:
        connection.execute(
            "INSERT INTO dropped VALUES (?1, ?2) ON CONFLICT (recipient) "
            "DO UPDATE SET number = number + ?2",
            (recipient, gone),
        )
