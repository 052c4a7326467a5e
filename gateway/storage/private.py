"""Files of a home that nobody else can read, exchange or redirect.

A program that runs as root, or keeps keys, must not write where another user leads it: a folder of
another user is refused, and so is a symbolic link in the place of a file.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


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
    path.chmod(0o600)
    return path.stat()


def _check_owner(path: Path, found: os.stat_result, remedy: str) -> None:
    if os.name == "posix" and found.st_uid not in (os.geteuid(), 0):
        raise UnsafePlace(f"{path} belongs to another user (uid {found.st_uid}); {remedy}")
