"""Locks of SQLite on one database, and the memory that its connections share.

They follow what SQLite's own layer for Unix does among the connections of one process. A
connection whose process has died keeps its view of the shared memory until it is closed, since
SQLite holds the addresses; whoever opens the database afterwards gets new memory.
"""

from __future__ import annotations

import ctypes

OK, BUSY = 0, 5
NONE, SHARED, RESERVED, PENDING, EXCLUSIVE = range(5)
"""Levels of a lock on a database."""
UNLOCK, LOCK, SHARE, EXCLUDE = 1, 2, 4, 8
"""Flags of a lock on a slot of the shared memory."""
SLOTS = 8


class DatabaseLocks:
    """Locks of all connections to one database."""

    __slots__ = ("level", "shared")

    def __init__(self) -> None:
        self.level = NONE
        """The highest that anybody holds."""
        self.shared = 0
        """How many hold a shared lock, or more."""

    def lock(self, held: int, wanted: int) -> tuple[int, int]:
        """Raise a connection's lock; return a result code and what it then holds."""
        if held >= wanted:
            return OK, held
        if held != self.level and (self.level >= PENDING or wanted > SHARED):
            return BUSY, held
        if wanted == SHARED:
            self.shared += 1
            self.level = max(self.level, SHARED)
            return OK, SHARED
        if wanted == EXCLUSIVE and self.shared > 1:
            self.level = PENDING  # those who read may end; nobody else begins
            return BUSY, PENDING
        self.level = wanted
        return OK, wanted

    def unlock(self, held: int, wanted: int) -> None:
        """Lower a connection's lock to a level."""
        if held <= wanted:
            return
        if held > SHARED:
            self.level = SHARED
        if wanted == NONE:
            self.shared -= 1
            if not self.shared:
                self.level = NONE


class SharedMemory:
    """Index of the write-ahead log, which connections read and write directly, and its locks."""

    __slots__ = ("regions", "slots", "users")

    def __init__(self) -> None:
        self.regions: list[ctypes.Array[ctypes.c_char]] = []
        self.slots = [0] * SLOTS
        """How many share each slot; -1: one has it alone."""
        self.users = 0

    def region(self, number: int, size: int, *, extend: bool) -> int:
        """Return the address of a region; 0 if it is not there and is not to be made."""
        if number >= len(self.regions) and not extend:
            return 0
        while number >= len(self.regions):
            self.regions.append(ctypes.create_string_buffer(size))
        return ctypes.addressof(self.regions[number])

    def view(self, size: int) -> memoryview:
        """Return the first bytes, which change as connections write to them.

        Raises:
            OSError: no connection has written to it yet.

        """
        if not self.regions:
            raise OSError("the shared memory is empty")
        return memoryview(self.regions[0]).cast("B")[:size].toreadonly()


class SlotHolder:
    """What one connection holds of the slots."""

    __slots__ = ("exclusive", "memory", "shared")

    def __init__(self, memory: SharedMemory) -> None:
        self.memory = memory
        self.shared = 0
        """Bits of the slots."""
        self.exclusive = 0
        memory.users += 1

    def lock(self, first: int, count: int, flags: int) -> int:
        """Lock or unlock some slots; return a result code."""
        slots = self.memory.slots
        bits = ((1 << count) - 1) << first
        if flags & UNLOCK:
            self._unlock(first, count)
        elif flags & SHARE:
            if self.shared & bits:
                return OK
            if slots[first] < 0:
                return BUSY
            slots[first] += 1
            self.shared |= bits
        else:
            for slot in range(first, first + count):
                if slots[slot] and not self.exclusive & (1 << slot):
                    return BUSY
            for slot in range(first, first + count):
                slots[slot] = -1
            self.exclusive |= bits
        return OK

    def _unlock(self, first: int, count: int) -> None:
        slots = self.memory.slots
        for slot in range(first, first + count):
            bit = 1 << slot
            if self.exclusive & bit:
                slots[slot] = 0
            elif self.shared & bit:
                slots[slot] -= 1
            self.exclusive &= ~bit
            self.shared &= ~bit

    def let_go(self) -> None:
        """Unlock all, and use the memory no more."""
        self._unlock(0, SLOTS)
        self.memory.users -= 1
