"""File of a simulated disk as one connection of SQLite has it open: what SQLite asks of it."""

from __future__ import annotations

from collections.abc import Hashable
from ctypes import c_int, c_longlong, c_void_p
from typing import TYPE_CHECKING

from .file_locks import NONE, RESERVED, UNLOCK, DatabaseLocks, SlotHolder
from .stored_file import StoredFile
from .vfs_layout import (
    IOERR_FSTAT,
    IOERR_FSYNC,
    IOERR_LOCK,
    IOERR_READ,
    IOERR_SHMMAP,
    IOERR_SHORT_READ,
    IOERR_TRUNCATE,
    IOERR_WRITE,
    NOTFOUND,
    OK,
    PAGE_BYTES,
    POWERSAFE_OVERWRITE,
)

if TYPE_CHECKING:
    from .disk import SimulatedDisk


class OpenFile:
    """One file, open. Every call but those that let go fails once its process has died.

    Args:
        disk: the file lies on it.
        file: the file.
        locks: of all who have it open.
        life: of the process that opened it.
        is_database: not its journal or log.
        is_deleted_after: when it is closed.

    """

    __slots__ = (
        "_disk",
        "_is_deleted_after",
        "_level",
        "_locks",
        "_slots",
        "file",
        "is_database",
        "is_dead",
        "life",
    )

    def __init__(
        self,
        disk: SimulatedDisk,
        file: StoredFile,
        locks: DatabaseLocks,
        life: Hashable,
        *,
        is_database: bool,
        is_deleted_after: bool,
    ) -> None:
        self._disk = disk
        self.file = file
        self._locks = locks
        self.life = life
        self.is_database = is_database
        self._is_deleted_after = is_deleted_after
        self._level = NONE
        self._slots: SlotHolder | None = None
        self.is_dead = False

    def die(self) -> None:
        """Let go of all locks, as the system does for a process that has ended."""
        if not self.is_dead:
            self._let_go()
            # the memory itself stays: SQLite may write into it until it is closed
            self.is_dead = True

    def _let_go(self) -> None:
        self._locks.unlock(self._level, NONE)
        self._level = NONE
        if self._slots is not None:
            self._slots.let_go()
            self._disk.forget_memory(self.file.name, self._slots.memory)

    # --- content -------------------------------------------------------------------------------

    def close(self) -> int:
        """Close it; SQLite has unlocked it, and unmapped the shared memory."""
        if not self.is_dead:
            self._let_go()
            self._disk.closed(self, delete=self._is_deleted_after)
        return OK

    def read(self, target: int, amount: int, offset: int) -> int:
        """Put bytes to an address."""
        if self.is_dead:
            return IOERR_READ
        disk = self._disk
        if disk.fault is not None and (code := disk.fault("read", self.file, amount)):
            return code
        return OK if self.file.read(target, amount, offset) else IOERR_SHORT_READ

    def write(self, source: int, amount: int, offset: int) -> int:
        """Take bytes from an address."""
        if self.is_dead:
            return IOERR_WRITE
        disk, file = self._disk, self.file
        if disk.fault is not None and (code := disk.fault("write", file, amount)):
            return code
        if self.is_dead:
            return IOERR_WRITE
        if disk.room is not None and offset + amount > file.size:
            there = disk.room.take(offset + amount - file.size)
            if code := there.code:
                disk.seen["the disk was full"] += 1
                disk.failures += 1
                # as much as there is room for is written, as a system does
                if (fits := amount - there.lacking) > 0:
                    file.write(source, fits, offset)
                return code
        file.write(source, amount, offset)
        return OK

    def truncate(self, size: int) -> int:
        """Set the length."""
        if self.is_dead:
            return IOERR_TRUNCATE
        if self._disk.room is not None:
            self._disk.room.give(self.file.size - size)
        self.file.cut(size)
        return OK

    def sync(self, _flags: int) -> int:
        """Have all of it on the disk."""
        if self.is_dead:
            return IOERR_FSYNC
        disk = self._disk
        if disk.fault is not None and (code := disk.fault("sync", self.file, 0)):
            return code
        if self.is_dead:
            return IOERR_FSYNC
        disk.synced(self)
        return OK

    def file_size(self, target: int) -> int:
        """Tell the length."""
        if self.is_dead:
            return IOERR_FSTAT
        c_longlong.from_address(target).value = self.file.size
        return OK

    # --- locks ---------------------------------------------------------------------------------

    def lock(self, level: int) -> int:
        """Lock the database."""
        if self.is_dead:
            return IOERR_LOCK
        code, self._level = self._locks.lock(self._level, level)
        return code

    def unlock(self, level: int) -> int:
        """Lower the lock."""
        if not self.is_dead:
            self._locks.unlock(self._level, level)
            self._level = min(self._level, level)
        return OK

    def check_reserved_lock(self, target: int) -> int:
        """Tell whether anybody is about to write."""
        if self.is_dead:
            return IOERR_LOCK
        c_int.from_address(target).value = self._locks.level >= RESERVED
        return OK

    def shm_map(self, number: int, size: int, extend: int, target: int) -> int:
        """Tell the address of a region of the shared memory."""
        if self.is_dead:
            return IOERR_SHMMAP
        if self._slots is None:
            self._slots = SlotHolder(self._disk.memory(self.file.name))
        memory = self._slots.memory
        c_void_p.from_address(target).value = memory.region(number, size, extend=bool(extend))
        return OK

    def shm_lock(self, first: int, count: int, flags: int) -> int:
        """Lock or unlock slots of the shared memory."""
        if self.is_dead or self._slots is None:
            return OK if flags & UNLOCK else IOERR_LOCK
        return self._slots.lock(first, count, flags)

    def shm_barrier(self) -> None:
        """Do nothing: there is one thread at a time."""

    def shm_unmap(self, _delete: int) -> int:
        """Use the shared memory no more."""
        if not self.is_dead and self._slots is not None:
            self._slots.let_go()
            self._disk.forget_memory(self.file.name, self._slots.memory)
            self._slots = None
        return OK

    # --- what SQLite may know ------------------------------------------------------------------

    def file_control(self, _what: int, _argument: int | None) -> int:
        """Know none of the calls that a file system may know."""
        return NOTFOUND

    def sector_size(self) -> int:
        """Return what SQLite has on Unix."""
        return PAGE_BYTES

    def device_characteristics(self) -> int:
        """Return what SQLite has on Unix."""
        return POWERSAFE_OVERWRITE
