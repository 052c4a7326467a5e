"""File of a simulated disk: its bytes, and which of them would survive a power cut.

The bytes are kept in one buffer that the C side reads and writes by its address. Each write since
the last sync is noted with what it replaced, so that a power cut can take any of them back.
"""

from __future__ import annotations

import ctypes
from ctypes import memmove, memset, string_at
from random import Random

from .power_loss import EXTENTS, SECTOR, Extent, Redo, Survival, units

FIRST_CAPACITY = 64 * 1024

Change = tuple[int, int, int, bytes]
"""Offset, amount, the length before, the bytes that were replaced or cut off. The amount is -1
where the file was cut, and the offset is then the new length."""


class StoredFile:
    """One file.

    Args:
        name: its whole path.

    """

    __slots__ = (
        "_buffer",
        "_capacity",
        "_forgotten",
        "address",
        "changes",
        "is_named",
        "name",
        "shown_size",
        "size",
    )

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.size = 0
        self._capacity = FIRST_CAPACITY
        self._buffer = ctypes.create_string_buffer(FIRST_CAPACITY)
        self.address = ctypes.addressof(self._buffer)
        self.changes: list[Change] = []
        """Since the last sync, in their order."""
        self._forgotten: dict[int, bytes] = {}
        """Sectors, by number, that no sync will write any more, since one has failed: what the
        disk has of them. The cache, and so every reader, has the new bytes."""
        self.is_named = False
        """Whether the folder's entry of it is on the disk."""
        self.shown_size = 0
        """Length of the real file of the same name."""

    @property
    def is_durable(self) -> bool:
        """Whether all of it would survive a power cut."""
        return not self.changes and not self._forgotten

    def contents(self) -> bytes:
        """Return all bytes, as a reader sees them."""
        return string_at(self.address, self.size)

    # --- what the C side does ------------------------------------------------------------------

    def write(self, source: int, amount: int, offset: int) -> None:
        """Take bytes from an address; beyond the end the file grows, and a gap has zeros."""
        end, size = offset + amount, self.size
        if end > self._capacity:
            self._grow(end)
        place = self.address + offset
        replaced = string_at(place, min(amount, size - offset)) if offset < size else b""
        self.changes.append((offset, amount, size, replaced))
        memmove(place, source, amount)
        if end > size:
            self.size = end

    def read(self, target: int, amount: int, offset: int) -> bool:
        """Put bytes to an address; return whether there were as many, else zeros fill it up."""
        there = self.size - offset
        if there >= amount:
            memmove(target, self.address + offset, amount)
            return True
        there = max(there, 0)
        memmove(target, self.address + offset, there)
        memset(target + there, 0, amount - there)
        return False

    def cut(self, size: int) -> None:
        """Set the length; what is added has zeros."""
        before = self.size
        self.changes.append((size, -1, before, self._set_size(size)))

    def sync(self) -> None:
        """Have all of it on the disk, but what an earlier sync has failed to write."""
        if self._forgotten:
            for offset, amount, _, _ in self.changes:
                for sector in units(offset, amount, SECTOR):
                    self._forgotten.pop(sector, None)
        self.changes.clear()

    def fail_sync(self, dice: Random) -> None:
        """Have no more on the disk than before.

        As on Linux the system may then take for written what is not: no later sync writes it,
        unless it is changed again.
        """
        if dice.random() < 0.5:
            return
        seen = self.contents()
        self._undo()
        for number in units(0, len(seen), SECTOR):
            begin = number * SECTOR
            new = seen[begin : begin + SECTOR]
            old = string_at(self.address + begin, len(new))
            if old != new:
                # dropped twice without a write that came through: the disk has the older bytes
                self._forgotten.setdefault(number, old)
        self._set_size(len(seen))
        memmove(self.address, seen, len(seen))

    # --- power cut -----------------------------------------------------------------------------

    def lose_power(self, dice: Random, extent: Extent | None = None) -> bool:
        """Keep only what is on the disk; return whether anything was lost.

        Args:
            dice: decides which of the unsynced writes are.
            extent: how much of them is; drawn if absent.

        """
        if self.is_durable:
            return False
        seen = self.contents()
        redos = self._undo()
        much: Extent = dice.choice(EXTENTS) if extent is None else extent
        kept = self._redo(redos, Survival(redos, dice, much))
        for number, old in self._forgotten.items():
            begin = number * SECTOR
            if number not in kept:
                memmove(self.address + begin, old, max(0, min(len(old), self.size - begin)))
        self._forgotten.clear()
        return self.contents() != seen

    def _undo(self) -> list[Redo]:
        """Take all changes back; return them, oldest first, so that they can be done again."""
        redos: list[Redo] = []
        for offset, amount, size_before, replaced in reversed(self.changes):
            data, size = string_at(self.address + offset, max(amount, 0)), self.size
            redos.append(Redo(offset, data, size, is_cut=amount < 0))
            self._set_size(size_before)
            memmove(self.address + offset, replaced, len(replaced))
        self.changes.clear()
        redos.reverse()
        return redos

    def _redo(self, redos: list[Redo], survival: Survival) -> set[int]:
        """Do again what survives; return the sectors of which anything does."""
        kept: set[int] = set()
        size, unit = self.size, survival.unit
        for number, redo in enumerate(redos):
            if number <= survival.size_from:
                size = redo.size
            if redo.is_cut:
                if number <= survival.size_from:
                    self._set_size(redo.offset)
                continue
            self._set_size(max(self.size, redo.offset + len(redo.data)))
            for one in units(redo.offset, len(redo.data), unit):
                if survival.keeps(number, one):
                    begin = max(one * unit, redo.offset)
                    part = redo.data[begin - redo.offset : (one + 1) * unit - redo.offset]
                    memmove(self.address + begin, part, len(part))
                    kept.update(units(begin, len(part), SECTOR))
        self._set_size(size)
        return kept

    # --- buffer --------------------------------------------------------------------------------

    def _set_size(self, size: int) -> bytes:
        """Set the length; return what was cut off. Beyond the end the buffer has zeros."""
        if size > self._capacity:
            self._grow(size)
        off = max(0, self.size - size)
        cut = string_at(self.address + size, off)
        memset(self.address + size, 0, off)
        self.size = size
        return cut

    def _grow(self, size: int) -> None:
        while self._capacity < size:
            self._capacity *= 2
        larger = ctypes.create_string_buffer(self._capacity)
        address = ctypes.addressof(larger)
        memmove(address, self.address, self.size)
        self._buffer, self.address = larger, address
