"""Faults of the daemon's disk: no room for a while, errors, slow syncs."""

from __future__ import annotations

from functools import partial
from random import Random

from gateway.storage.reserve import FILE

from ..disk import Operation
from ..disk_faults import FailingOperations, Room
from ..plugins import fault
from ..terminals import TradedTerminal
from ..world import World

FULL_S = (0.01, 1.0)
SLOW_S = (0.05, 2.0)
"""How long it lasts."""
SYNC_S = (0.001, 0.02, 0.3)
"""A sync takes up to one of these."""
LEFT_BYTES = (0, 5_000, 100_000)
MAX_AFTER, MAX_TIMES = 20, 6
"""Operations that still succeed, and that then fail."""


@fault("disk_full")
def fill(world: World, _: TradedTerminal, dice: Random) -> None:
    """Leave no room but the reserve's, for a while."""
    room = Room(dice.choice(LEFT_BYTES), world.folder / "home" / FILE)

    def clear() -> None:
        if room.was_given_reserve:
            world.sometimes("the reserve was given up")
        if world.disk.room is room:
            world.disk.room = None

    world.disk.room = room
    world.loop.call_later(dice.uniform(*FULL_S), clear)


@fault("disk_slow")
def slow_down(world: World, _: TradedTerminal, dice: Random) -> None:
    """Let each sync take its time, for a while."""
    longest_s = dice.choice(SYNC_S)

    def sync_s() -> float:
        return dice.uniform(0, longest_s)

    def speed_up() -> None:
        if world.disk.sync_s is sync_s:
            world.disk.sync_s = None

    world.disk.sync_s = sync_s
    world.loop.call_later(dice.uniform(*SLOW_S), speed_up)


def _fail(operation: Operation, world: World, _: TradedTerminal, dice: Random) -> None:
    after, times = dice.randint(0, MAX_AFTER), dice.randint(1, MAX_TIMES)
    world.disk.fail(FailingOperations(operation, after, times, dice))


_OPERATIONS: tuple[Operation, ...] = ("read", "write", "sync")
for _operation in _OPERATIONS:
    fault(f"disk_{_operation}_error")(partial(_fail, _operation))
