"""Database files of a home: private to their owner, and switched to a write-ahead log.

A program that runs as root, or keeps keys, must not write where another user leads it: a folder of
another user is refused, and so is a symbolic link in the place of a file.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from ea_bridge import host

RETRY_S = 0.01
HEADER_BYTES = 48
"""First copy of the header of the index, with a counter, the length of the log and checksums:
https://www.sqlite.org/walformat.html, section 2.1."""


class UnsafePlace(Exception):
    """A folder or a file is not ours alone; the message says what to do."""


def check_folder(folder: Path) -> None:
    """Refuse a folder that another user owns; the system's own user is trusted.

    Raises:
        UnsafePlace: it is another user's.
        OSError: it cannot be looked at.

    """
    _check_owner(folder, folder.stat(), "run mt-gateway as that user, or name a --home of yours")


def check_file(path: Path) -> None:
    """Refuse what is not a file of ours; none at all is fine.

    Raises:
        UnsafePlace: it is a symbolic link, no file, or another user's.
        OSError: it cannot be looked at.

    """
    with suppress(FileNotFoundError):
        # not stat: that judges the file behind a link
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise UnsafePlace(
                f"{path} is a symbolic link, which is not followed; put the file itself there, or "
                "name another --home"
            )
        if not stat.S_ISREG(found.st_mode):
            raise UnsafePlace(f"{path} is no file; move it away, or name another --home")
        _check_owner(path, found, "give it to the user who runs mt-gateway, or move it away")


def make_file(path: Path) -> os.stat_result:
    """Make a file that its owner alone may read, if it is not there; return what it is.

    One that is there is never opened: closing it would drop the locks that this process holds on
    it (POSIX).

    Raises:
        UnsafePlace: as of :func:`check_file`.
        OSError: it cannot be made.

    """
    check_file(path)
    with suppress(FileExistsError):  # never through a link: O_EXCL follows none
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    # one that was there may have been made with the rights of a umask
    path.chmod(0o600)
    return path.stat()


def _check_owner(path: Path, found: os.stat_result, remedy: str) -> None:
    # root can read and exchange everything anyway: what it made is trusted
    if os.name == "posix" and found.st_uid not in (os.geteuid(), 0):
        raise UnsafePlace(f"{path} belongs to another user (uid {found.st_uid}); {remedy}")


# --- write-ahead log ---------------------------------------------------------------------------


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
            # the low byte: BUSY_RECOVERY and BUSY_SNAPSHOT mean BUSY, too
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
        self.view = self._page.view
        """The header as it is now. It may be half written: then the next look differs."""

    def close(self) -> None:
        """Unmap the header; the connection of whoever mapped it is closed by now."""
        self._page.close()
