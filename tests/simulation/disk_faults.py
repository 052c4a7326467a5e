"""What goes wrong with a simulated disk: no room, errors, the end at any operation.

Each fault but the lack of room is for :meth:`SimulatedDisk.fail`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from .disk import Operation
from .stored_file import StoredFile
from .vfs_layout import FULL, IOERR_FSYNC, IOERR_READ, IOERR_WRITE, OK

_CODES: dict[Operation, int] = {"read": IOERR_READ, "write": IOERR_WRITE, "sync": IOERR_FSYNC}


class Taken(NamedTuple):
    """Answer to a file that wants to grow."""

    code: int
    lacking: int
    """So many bytes have no room."""


class Room:
    """Bytes that are left on a disk, which the home's reserve counts in.

    Args:
        left: now.
        reserve: real file whose length takes room as well, as long as it is there: what is cut off
            of it is given to the disk.

    """

    def __init__(self, left: int, reserve: Path | None = None) -> None:
        self._left = left
        self._reserve = reserve
        self._reserved = self._reserve_bytes()
        self.refusals = 0
        """So many writes were refused."""
        self.was_given_reserve = False

    @property
    def left(self) -> int:
        """How many bytes are left."""
        now = self._reserve_bytes()
        self.was_given_reserve = self.was_given_reserve or now < self._reserved
        self._left += self._reserved - now
        self._reserved = now
        return self._left

    def take(self, growth: int) -> Taken:
        """Let a file grow, or say that it cannot."""
        left = self._left if growth <= self._left and self._reserve is None else self.left
        if growth > left:
            self._left = 0
            self.refusals += 1
            return Taken(FULL, growth - max(left, 0))
        self._left -= growth
        return Taken(OK, 0)

    def give(self, amount: int) -> None:
        """Take back what a file has lost."""
        self._left += amount

    def _reserve_bytes(self) -> int:
        try:
            return 0 if self._reserve is None else self._reserve.lstat().st_size
        except OSError:
            return 0


class FailingOperations:
    """Error of the disk, at some operations of one kind.

    Args:
        operation: which kind.
        after: so many of them still succeed.
        times: so many then fail.
        dice: of a sync that fails; decides whether the system forgets what it was to write.

    """

    def __init__(self, operation: Operation, after: int, times: int, dice: Random) -> None:
        self._operation = operation
        self._after = after
        self._times = times
        self._dice = dice
        self.failures = 0
        """So many have failed."""
        self.is_over = False

    def __call__(self, operation: Operation, file: StoredFile, _amount: int) -> int:
        """Fail, or not."""
        if operation != self._operation or self.is_over:
            return OK
        if self._after > 0:
            self._after -= 1
            return OK
        self.failures += 1
        self.is_over = self.failures == self._times
        if operation == "sync":
            file.fail_sync(self._dice)
        return _CODES[operation]


class EndAt:
    """End of a process, or of the power, before one operation that changes something.

    Args:
        operations: so many are still done.
        end: kills, or cuts the power; once. The operation then fails, for its process is dead.
        counts: whether an operation is one of that process; by default all are.

    """

    def __init__(
        self,
        operations: int,
        end: Callable[[], object],
        counts: Callable[[], bool] = lambda: True,
    ) -> None:
        self._operations = operations
        self._end = end
        self._counts = counts
        self.is_over = False

    def __call__(self, operation: Operation, _file: StoredFile, _amount: int) -> int:
        """Count, and end it."""
        if operation != "read" and not self.is_over and self._counts():
            if not self._operations:
                self.is_over = True
                self._end()
            self._operations -= 1
        return OK
