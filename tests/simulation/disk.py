"""Disk of a simulated computer: the databases of its homes, in memory, and how it fails.

While it is in use, SQLite keeps every database under one folder here, with its log, its journal
and its shared memory; the files that the product makes there stay empty, and have the length
alone. What is written is in the system's cache, which outlives a process, and is on the disk once
it is synced: :meth:`SimulatedDisk.kill` and :meth:`SimulatedDisk.power_cut` tell the two apart. A
disk can also be full, fail, and be slow; see ``disk_faults.py``.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from .file_locks import DatabaseLocks, SharedMemory
from .open_file import OpenFile
from .sqlite_vfs import sqlite_vfs
from .stored_file import StoredFile
from .vfs_layout import OPEN_CREATE, OPEN_DELETE_ON_CLOSE, OPEN_MAIN_DB

if TYPE_CHECKING:
    from .disk_faults import Room
    from .power_loss import Extent

LOG = b"-wal"
PLENTY = 1 << 40

Operation = Literal["read", "write", "sync"]
Failing = Callable[[Operation, StoredFile, int], int]
"""Called before each operation, with its file and how many bytes; what it returns SQLite is told,
and 0 lets it go on."""


class Fault(Protocol):
    """Something that goes wrong at operations, until it is over."""

    is_over: bool

    def __call__(self, operation: Operation, file: StoredFile, amount: int, /) -> int:
        """See :data:`Failing`."""


class SimulatedDisk:
    """The disk; a context manager, and in use inside of it.

    Args:
        folder: what is opened under it lies on this disk.
        dice: the random numbers that SQLite asks the system for.
        life: says which process opens a file; it is asked at each opening.
        wall_s: says how many seconds it is since 1970.
        spend: lets time pass, in seconds, while SQLite waits for a lock.

    Raises:
        SqliteUnreachable: the SQLite of this Python cannot have it.

    """

    def __init__(
        self,
        folder: Path,
        dice: Random,
        *,
        life: Callable[[], Hashable] = lambda: None,
        wall_s: Callable[[], float] = lambda: 0.0,
        spend: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._vfs = sqlite_vfs()
        self.prefix = os.fsencode(folder.resolve()) + os.sep.encode()
        self._life = life
        self.wall_s = wall_s
        self.spend = spend
        self.random_bytes = dice.randbytes
        self._files: dict[bytes, StoredFile] = {}
        self._deleted: dict[bytes, StoredFile] = {}
        """Gone, but not yet from the disk."""
        self._locks: dict[bytes, DatabaseLocks] = {}
        self._memories: dict[bytes, SharedMemory] = {}
        self._open: list[OpenFile] = []
        self.fault: Failing | None = None
        """Whatever goes wrong now, in one; ``None``: nothing does."""
        self._faults: list[Fault] = []
        self.room: Room | None = None
        """What is left; ``None``: there is always enough."""
        self.sync_s: Callable[[], float] | None = None
        """Says how long each sync takes; ``None``: no time at all."""
        self.error: BaseException | None = None
        """First exception within a call of SQLite's, which did not see it."""
        self.seen: Counter[str] = Counter()
        """What has gone wrong, by the names of ``ON_DISK`` in ``rare_points.py``."""
        self.failures = 0
        """So many operations could not be done."""

    def __enter__(self) -> Self:
        self._vfs.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._vfs.end()
        if error is None:
            self.check()

    def check(self) -> None:
        """Raise the first exception that was raised within SQLite."""
        if self.error is not None:
            raise self.error

    # --- what the simulation asks --------------------------------------------------------------

    def is_durable(self, database: Path) -> bool:
        """Whether all that was written of a database would survive a power cut."""
        name = os.fsencode(database)
        log, file = self._files.get(name + LOG), self._files.get(name)
        return (log is None or log.is_durable) and (file is None or file.is_durable)

    def is_synced(self, database: Path) -> bool:
        """Whether a sync has followed all that was written to a database's log; it may have
        failed. What the file itself lacks, since a checkpoint has failed, the log still has.
        """
        log = self._files.get(os.fsencode(database) + LOG)
        return log is None or not log.changes

    def contents(self, file: Path) -> bytes | None:
        """Return the bytes of a file, as a reader sees them; ``None`` if it is not there."""
        found = self._files.get(os.fsencode(file))
        return None if found is None else found.contents()

    def used_bytes(self) -> int:
        """Return the lengths of all files together."""
        return sum(file.size for file in self._files.values())

    def sizes(self) -> dict[str, int]:
        """Return how long each file is, by its path."""
        return {os.fsdecode(name): file.size for name, file in self._files.items()}

    def free_bytes(self, _folder: Path) -> int:
        """Return how much room there is; where there is always enough, a lot."""
        self.failures += self.room is not None
        return PLENTY if self.room is None else max(0, self.room.left)

    def fingerprint(self) -> str:
        """Return a hash over all files."""
        hashed = hashlib.sha256()
        for name, file in sorted(self._files.items()):
            hashed.update(b"%s %d\n" % (name.removeprefix(self.prefix), file.size))
            hashed.update(file.contents())
        return hashed.hexdigest()

    # --- faults --------------------------------------------------------------------------------

    @property
    def has_failed(self) -> bool:
        """Whether anything could not be done, at some time."""
        return self.failures > 0

    def fail(self, fault: Fault) -> None:
        """Let something go wrong from now on, beside what does already."""
        self._faults = [one for one in self._faults if not one.is_over] + [fault]
        self._join_faults()

    def work(self, *kinds: type) -> None:
        """Let nothing go wrong any more of these kinds; without any, nothing at all."""
        self._faults = [one for one in self._faults if kinds and not isinstance(one, kinds)]
        self._join_faults()
        if not kinds:
            self.room = self.sync_s = None

    @contextmanager
    def unfailing(self) -> Iterator[None]:
        """While the block lasts, let nothing go wrong, and count nothing: a judge looks."""
        fault, self.fault = self.fault, None
        try:
            yield
        finally:
            self.fault = fault

    def _join_faults(self) -> None:
        faults = tuple(self._faults)

        def any_of(operation: Operation, file: StoredFile, amount: int) -> int:
            for fault in faults:
                if code := fault(operation, file, amount):
                    self.seen[f"a {operation} failed on the disk"] += 1
                    self.failures += 1
                    return code
            return 0

        self.fault = any_of if faults else None

    # --- the ends of processes -----------------------------------------------------------------

    def kill(self, life: Hashable) -> None:
        """End a process: its locks are gone, and what it has written stays in the cache."""
        for one in self._open:
            if one.life == life:
                one.die()
        self._open = [one for one in self._open if not one.is_dead]

    def power_cut(
        self, dice: Random, folder: Path | None = None, extent: Extent | None = None
    ) -> int:
        """End all processes, and lose what is not on the disk, or parts of it.

        Args:
            dice: decides what of it is lost.
            folder: of the computer; all of the disk if absent.
            extent: how much of it is kept; drawn for each file if absent.

        Returns:
            How many files were changed by it.

        """
        prefix = self.prefix if folder is None else os.fsencode(folder) + os.sep.encode()
        for one in self._open:
            if one.file.name.startswith(prefix):
                one.die()
        self._open = [one for one in self._open if not one.is_dead]
        changed = self._lose_entries(dice, prefix)
        self.seen["the power was cut"] += 1
        for name, file in self._files.items():
            if name.startswith(prefix):
                changed += file.lose_power(dice, extent)
                self._show_size(file)
        self.seen["a power cut lost bytes"] += bool(changed)
        return changed

    def _lose_entries(self, dice: Random, prefix: bytes) -> int:
        """Lose what was made or deleted in folders that were not synced since, or not."""
        changed = 0
        for name, file in list(self._files.items()):
            if name.startswith(prefix) and not file.is_named and dice.random() < 0.5:
                del self._files[name]
                changed += 1
        for name, file in list(self._deleted.items()):
            if name.startswith(prefix):
                del self._deleted[name]
                if name not in self._files and dice.random() < 0.5:
                    self._files[name] = file
                    changed += 1
        return changed

    # --- what SQLite asks ----------------------------------------------------------------------

    def open(self, name: bytes, flags: int) -> OpenFile | None:
        """Open a file; ``None`` if it is not there and is not to be made."""
        is_database = bool(flags & OPEN_MAIN_DB)
        file = self._files.get(name)
        if file is None:
            if not flags & OPEN_CREATE and not (is_database and os.path.exists(name)):
                return None
            file = self._files[name] = StoredFile(name)
            file.is_named = is_database  # the product has made it, before SQLite opened it
        opened = OpenFile(
            self,
            file,
            self._locks.setdefault(name, DatabaseLocks()),
            self._life(),
            is_database=is_database,
            is_deleted_after=bool(flags & OPEN_DELETE_ON_CLOSE),
        )
        self._open.append(opened)
        return opened

    def closed(self, opened: OpenFile, *, delete: bool) -> None:
        """Know that a file was closed."""
        self._open.remove(opened)
        if delete:
            self.delete(opened.file.name, sync=False)

    def has(self, name: bytes) -> bool:
        """Whether a file is there."""
        return name in self._files

    def delete(self, name: bytes, *, sync: bool) -> bool:
        """Delete a file; return whether it was there.

        Args:
            name: its whole path.
            sync: it is gone from the disk as well, and all that was done to the folder is there.

        """
        file = self._files.pop(name, None)
        if file is None:
            return False
        if self.room is not None:
            self.room.give(file.size)
        if file.is_named:
            self._deleted[name] = file
        if sync:
            self._sync_folder(os.path.dirname(name))
        return True

    @contextmanager
    def beside(self) -> Iterator[None]:
        """While the block lasts, take no time: it is a thread's, and whoever waits for it adds
        what :meth:`delay_s` has said.
        """
        sync_s, self.sync_s = self.sync_s, None
        try:
            yield
        finally:
            self.sync_s = self.sync_s or sync_s

    def delay_s(self) -> float:
        """Return how long a sync takes now."""
        return 0.0 if self.sync_s is None else self.sync_s()

    def synced(self, opened: OpenFile) -> None:
        """Have a file on the disk, and with a new one its folder, as SQLite does."""
        if self.sync_s is not None:
            self.spend(self.sync_s())
        file = opened.file
        file.sync()
        if not file.is_named:
            self._sync_folder(os.path.dirname(file.name))
        if opened.is_database:
            self._show_size(file)

    def _sync_folder(self, folder: bytes) -> None:
        for name, file in self._files.items():
            if os.path.dirname(name) == folder:
                file.is_named = True
        self._deleted = {
            name: file for name, file in self._deleted.items() if os.path.dirname(name) != folder
        }

    def _show_size(self, file: StoredFile) -> None:
        """Give the real file of a database its length: the product looks at it."""
        if file.size != file.shown_size and os.path.exists(file.name):
            os.truncate(file.name, file.size)
            file.shown_size = file.size

    def memory(self, name: bytes) -> SharedMemory:
        """Return the memory that the connections to a database share."""
        return self._memories.setdefault(name, SharedMemory())

    def forget_memory(self, name: bytes, memory: SharedMemory) -> None:
        """Forget shared memory that nobody uses: whoever comes next gets new one."""
        if not memory.users and self._memories.get(name) is memory:
            del self._memories[name]
