"""Room on the disk that is kept for what takes risk away.

A file of a home holds nothing but its place. Whoever finds the disk full gives it up, and has that
room for what must go on: closing, cancelling, halts, revocations, and the notes of them. While it
is given up nothing new is put at risk, so that the room is not used up by the next orders; it is
made anew as soon as the disk has room again. The file itself says which: all processes of a home
see it.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ea_bridge import host

FILE = "reserve"
BYTES = 8 * 1024 * 1024
"""A write-ahead log grows by 6 MB before it begins anew."""
PROBE_BYTES = 65_536
RETRY_MS = 5_000
"""When an order that was refused on a full disk may come again."""
LOOK_S = RETRY_MS / 1000
"""Between two tries to make it anew."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MAY_BE_FULL = ("SQLITE_IOERR", "SQLITE_CANTOPEN")

logger = logging.getLogger(__name__)


class Reserve:
    """The reserve of one home.

    Args:
        folder: the home.
        size: in bytes.
        free_bytes: says how much is free where a folder lies.

    """

    def __init__(
        self,
        folder: Path,
        size: int = BYTES,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.folder = folder
        self._free_bytes = free_bytes
        self._path = folder / FILE
        self._size = size

    @property
    def is_whole(self) -> bool:
        """Whether it was not given up; takes a microsecond."""
        try:
            # not stat: behind a link no room of this disk is kept
            return self._path.lstat().st_size >= self._size
        except OSError:
            return False

    def leaves_room(self, size: int) -> bool:
        """Whether it is whole, and so many bytes and as much as it again are free beside it."""
        try:
            return self.is_whole and self._free_bytes(self.folder) >= size + self._size
        except OSError:
            return False

    def keep(self) -> bool:
        """Make it if it is not there and the disk has room for as much again.

        Returns:
            Whether it is there now.

        """
        if self.is_whole:
            return True
        try:
            # as much again: else the reserve would take the last room from the logs
            if self._free_bytes(self.folder) < 2 * self._size:
                return False
            self._write()
        except OSError:
            give_up(self.folder)
            return False
        return True

    def _write(self) -> None:
        fresh = self._path.with_name(f"{FILE}.new")
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        try:
            with open(os.open(fresh, flags, 0o600), "wb") as file:
                # random: a file system that compresses, or leaves zeros out, would keep no room
                file.write(host.random_bytes(self._size))
                file.flush()
                os.fsync(file.fileno())
            # at once: an empty file would say meanwhile that the reserve was given up
            host.replace_file(fresh, self._path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise


async def keep_up(reserve: Reserve) -> None:
    """Make the reserve anew whenever the disk has room for it, until cancelled."""
    import asyncio  # here: a command that halts must not wait for its import

    was_whole = True
    while True:
        # a thread of its own: eight megabytes reach a slow disk in seconds
        is_whole = await asyncio.to_thread(reserve.keep)
        if was_whole and not is_whole:
            logger.critical(
                "the disk is full: make room where %s lies; until then nothing new is opened, "
                "closing and cancelling go on",
                reserve.folder,
            )
        elif is_whole and not was_whole:
            logger.warning("the disk has room again: orders are sent as before")
        was_whole = is_whole
        await asyncio.sleep(LOOK_S)


def give_up(folder: Path) -> bool:
    """Give up the reserve of a home; return whether there was any."""
    path = folder / FILE
    try:
        # given up already: who tries again because of it would try for ever
        if not path.lstat().st_size:
            return False
        # never through a link: it would empty another file
        flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
        opened = os.open(path, flags)
        try:
            # emptied, not deleted: the empty file tells every process of the home
            os.ftruncate(opened, 0)
        finally:
            os.close(opened)
    except OSError:
        return False
    return True


def was_given_up(folder: Path) -> bool:
    """Whether a home had a reserve, and has it no more."""
    try:
        return (folder / FILE).lstat().st_size == 0
    except OSError:
        return False


def full_text(path: Path) -> str:
    """Return what people are told of a file that cannot be written for want of room."""
    folder = path.parent
    return f"{path}: the disk is full; make room where {folder} lies, then try again"


def is_full(error: Exception, folder: Path) -> bool:
    """Whether an error of the system's or SQLite's is for want of room, on the disk or in the
    quota.
    """
    if isinstance(error, OSError):
        return error.errno in _FULL
    name = getattr(error, "sqlite_errorname", "")
    # no room for the -shm file, or for the -wal, is told as all kinds of errors
    return name == "SQLITE_FULL" or (name.startswith(_MAY_BE_FULL) and _has_no_room(folder))


def _has_no_room(folder: Path) -> bool:
    """Whether not even a little can be written."""
    probe = folder / f"{FILE}.{os.getpid()}"
    try:
        with open(os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            # written and synced: some file systems find out only then that there is no room
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return is_full(error, folder)
    finally:
        with suppress(OSError):
            probe.unlink()
    return False
