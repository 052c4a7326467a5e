"""Faults of the MT4 server and of its peer."""

from __future__ import annotations

from functools import partial
from random import Random

from ..plugins import fault
from ..terminals import TradedTerminal
from ..watchers.bookings import Bookings
from ..world import World

KINDS = ("cut", "crash", "restart", "replace", "be_late", "time_out", "lose_server")


def _happen(kind: str, world: World, _: TradedTerminal, dice: Random) -> None:
    (bookings,) = (one for one in world.watchers if isinstance(one, Bookings))
    getattr(bookings.side, kind)(dice)


for _kind in KINDS:
    fault(f"mt4_server_{_kind}")(partial(_happen, _kind))
