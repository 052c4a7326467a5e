"""Points that the runs of a campaign must reach, all together: a rule that nothing tries is none.

A watcher counts what it sees with ``world.sometimes(name)``. Counts are plain numbers by names, so
that those of many runs are added up; :func:`never` then says what no run has come to. Every name
is listed here, with what it means; a name that is not listed is a mistake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .run import POINTS

JOURNAL: Mapping[str, str] = {
    "group commit with a failed member": "a write of a group failed, and the others are there",
    "settled by hand, and contradicted": "the terminal's word counted more than a person's",
    "books compared": "they stood still while the daemon was asked",
    "unknown again after a crash": "what was told had not been written down yet",
    "tickets of equal orders exchanged": "nobody could tell whose tags were gone",
    "an order was named to two ids": "the same",
}
MAY_BE_MISSED = frozenset(
    {
        "settled by hand, and contradicted",
        "tickets of equal orders exchanged",
        "an order was named to two ids",
    }
)
"""What is counted, but need not happen."""
NAMES: Mapping[str, str] = {
    **{f"point {one}": f"a life came to the point {one}" for one in POINTS},
    **{f"killed at {one}": f"a life was killed at the point {one}" for one in POINTS},
    **JOURNAL,
}
"""What each name means."""


class Sometimes(Counter[str]):
    """Counts of one run."""

    def __call__(self, name: str) -> None:
        """Count that something has happened."""
        assert name in NAMES, name
        self[name] += 1


def never(counts: Mapping[str, int]) -> list[str]:
    """Return what must happen, and has not; in the order in which it is listed."""
    return [name for name in NAMES if not counts.get(name) and name not in MAY_BE_MISSED]
