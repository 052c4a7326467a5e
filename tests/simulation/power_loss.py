"""Draw which writes of a file that no sync has followed survive a power cut.

The system's cache writes pages back when it likes, and the disk writes sectors as a whole. So each
sector may have what it had after any one of the writes to it, or before all of them; the length of
the file is drawn alike, and apart from its bytes. Some cuts are plainer: nothing is left of the
writes, all is, or all up to one of them, of which a part is.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

SECTOR = 512
"""Bytes that a disk writes as a whole."""
PAGE = 4096
"""Bytes that the operating system's cache writes back together."""

Extent = Literal["none", "all", "prefix", "pages", "sectors"]
"""How much a power cut keeps of the unsynced writes."""
EXTENTS: tuple[Extent, ...] = ("none", "all", "prefix", "pages", "sectors", "pages", "sectors")


@dataclass(slots=True)
class Redo:
    """A change of a file, so that it, or a part of it, can be done again.

    Args:
        offset: of what was written; of a cut, the new length.
        data: what was written; nothing where the file was cut.
        size: of the file afterwards.
        is_cut: the length was set, and nothing written.

    """

    offset: int
    data: bytes
    size: int
    is_cut: bool


class Survival:
    """Answer to which parts of some changes survive.

    Args:
        redos: the changes, oldest first.
        dice: decides.
        extent: how much is kept.

    """

    def __init__(self, redos: list[Redo], dice: Random, extent: Extent) -> None:
        self.unit = PAGE if extent == "pages" else SECTOR
        newest = len(redos) - 1
        self._reached = {"all": newest, "prefix": dice.randint(-1, newest)}.get(extent, -1)
        self._newest_of: dict[int, int] = {}
        size_from = self._reached
        if extent == "prefix" and self._reached < newest:
            torn = redos[self._reached + 1]
            places = units(torn.offset, len(torn.data), self.unit)
            self._newest_of = dict.fromkeys(
                places[: dice.randint(0, len(places))], self._reached + 1
            )
        elif extent in ("pages", "sectors"):
            self._draw_each(redos, dice)
            size_from = dice.randint(-1, newest)
        self.size_from = size_from
        """Number of the change whose length the file has; -1: that before all of them."""

    def _draw_each(self, redos: list[Redo], dice: Random) -> None:
        touching: dict[int, list[int]] = {}
        for number, redo in enumerate(redos):
            for one in units(redo.offset, len(redo.data), self.unit):
                touching.setdefault(one, [-1]).append(number)
        self._newest_of = {one: dice.choice(numbers) for one, numbers in touching.items()}

    def keeps(self, number: int, unit: int) -> bool:
        """Whether the part of a change that lies in a unit came to the disk."""
        return number <= self._newest_of.get(unit, self._reached)


def units(offset: int, amount: int, unit: int) -> range:
    """Return the numbers of the sectors, or pages, that some bytes lie in."""
    return range(offset // unit, -(-(offset + amount) // unit)) if amount > 0 else range(0)
