"""Counts of what must not grow while days pass: files, tasks, sockets, objects."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import DaysWorld

ALLOWED = 1.5
"""Times what it was in the first half, and :data:`SPARE` for each."""
SPARE = {"tasks": 10, "sockets": 10, "objects": 30_000, "gateway.db": 65_536}
TRADE_OBJECTS = 150
"""What the emulated broker and the judges keep of a trade."""
LOG_BYTES = 6 << 20
"""The longest that a database's log may be: SQLite puts it back at 4 MB."""
NODES = ("daemon", "console", "main", "spare")
Look = dict[str, int]
"""How many there were of everything, by name."""


class Growth:
    """Counter of what there is, now and then.

    The tasks are those of the daemon and the console that live now. The simulation keeps the tasks
    of those that it killed, lest their ``finally`` runs: these are no leak of the product.

    Attributes:
        looks: what was there each time.

    """

    def __init__(self, world: DaysWorld) -> None:
        self._world = world
        self.looks: list[Look] = []

    def look(self) -> None:
        """Count."""
        world = self._world
        gc.collect()
        loop, lives = world.loop, (world.daemons.present, world.consoles.life)
        found = {
            "tasks": sum(len(loop.tasks_of(life)) for life in lives),
            "sockets": sum(len(world.network.of(node)) for node in NODES),
            "objects": len(gc.get_objects()),
            "trades": sum(bot.trades for bot in world.bots.values()),
        }
        for name, size in sorted(world.disk.sizes().items()):
            found[os.path.basename(name)] = size
        self.looks.append(found)

    def judge(self) -> None:
        """Tell what has grown."""
        for said in grown(self.looks):
            self._world.accuse(said)


def grown(looks: list[Look]) -> list[str]:
    """Return what was more in the second half of some looks than in the first, in words."""
    half, found = len(looks) // 2, []
    for name, spare in SPARE.items():
        counts = [_count(one, name) for one in looks]
        first, last = counts[:half], counts[half:]
        if first and max(last) > ALLOWED * max(first) + spare:
            found.append(f"{name} grows: {first} and then {last}")
    for one in looks:
        for name, size in one.items():
            if name.endswith("-wal") and size > LOG_BYTES:
                found.append(f"{name} has {size} bytes")
    return found


def _count(look: Look, name: str) -> int:
    count = look.get(name, 0)
    return count - TRADE_OBJECTS * look["trades"] if name == "objects" else count
