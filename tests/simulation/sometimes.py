"""Points in the product that the runs of a campaign must reach, all together.

A watcher counts what it sees with ``world.sometimes(name)``. Counts are plain numbers by names, so
that those of many runs are added up; :func:`never` then says what no run has come to. Every name
is listed, here or in :mod:`.rare_points`, with what it means; any other is a mistake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from . import plugins
from .rare_points import (
    AFTER_ROW,
    ANSWERED,
    IN_LOG,
    IN_TRAIL,
    MAY_BE_MISSED,
    MOVES,
    ON_DISK,
    OTHERS,
    PRESUMED,
    SESSION_ENDS,
    WEBSOCKET_ENDS,
)
from .run import DISK, NO_START, POINTS

OUTSIDE, IN_ORDER = "from outside", "in order"


def _names() -> dict[str, str]:
    seen = (IN_LOG, SESSION_ENDS, WEBSOCKET_ENDS, IN_TRAIL, PRESUMED, ANSWERED, AFTER_ROW)
    ends = (*POINTS, DISK, NO_START, OUTSIDE, IN_ORDER)
    deaths = {f"killed at {one}": "a life ended there" for one in ends}
    points = {f"point {one}": "a life came to it" for one in POINTS}
    shown = {name: "see rare_points" for table in seen for name in table.values()}
    return {**points, **deaths, **shown, **MOVES, **ON_DISK, **OTHERS, **MAY_BE_MISSED}


NAMES: Mapping[str, str] = _names()
"""What each name means."""


class Sometimes(Counter[str]):
    """Counts of one run."""

    def __call__(self, name: str) -> None:
        """Count that something has happened."""
        assert name in NAMES, name
        self[name] += 1


def never(reached: Mapping[str, int], faults: Mapping[str, int]) -> list[str]:
    """Return what must happen, and has not.

    Args:
        reached: how often each point was, in all runs.
        faults: how often each fault happened.

    """
    plugins.discover()
    lacking = [one for one in NAMES if not reached.get(one) and one not in MAY_BE_MISSED]
    return lacking + [f"fault {one}" for one in plugins.FAULTS if not faults.get(one)]
