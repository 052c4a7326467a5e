"""Lock of a folder: one process has it, until it ends."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class FolderLocked(Exception):
    """Another process has the folder."""


class FolderLock:
    """Lock that holds a folder until this process ends, however it ends.

    Two peers with one table of results would each not know what the other has executed, and say
    of it that it never was.

    Args:
        folder: there already.

    Raises:
        FolderLocked: another process has it.
        OSError: nothing can be written there.

    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "claim").open("ab")
        try:
            if sys.platform == "win32":
                self._file.seek(0)
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise FolderLocked(f"another peer runs with {folder}") from error

    def release(self) -> None:
        """Let the next one have it."""
        self._file.close()
