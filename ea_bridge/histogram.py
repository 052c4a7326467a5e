"""Histogram of durations that costs its writer an append, and knows no library.

It belongs to one thread, and takes no lock.
"""

from __future__ import annotations

from bisect import bisect_right

BOUNDS_S = (
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""Upper bounds of all buckets but the last, which has none: from a ping to a call's time-out."""
MAX_RECENT = 512
"""Durations that wait to be put into buckets. To sort so many takes some ten microseconds, a tenth
of what it takes to find the bucket of each alone."""


class Histogram:
    """Counts of durations by bucket, and their sum; they only grow."""

    __slots__ = ("_counts", "_recent", "_sum_s")

    def __init__(self) -> None:
        self._recent: list[float] = []
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        recent = self._recent
        recent.append(seconds)
        if len(recent) >= MAX_RECENT:
            self._fold()

    def read(self) -> tuple[tuple[int, ...], float]:
        """Return how many durations each bucket has for itself, the one without bound last; and
        the sum of all.
        """
        self._fold()
        return tuple(self._counts), self._sum_s

    def _fold(self) -> None:
        """Put the recent ones into their buckets."""
        recent, self._recent = self._recent, []
        recent.sort()
        below = 0
        for bucket, bound_s in enumerate(BOUNDS_S):
            within = bisect_right(recent, bound_s, below)
            self._counts[bucket] += within - below
            below = within
        self._counts[-1] += len(recent) - below
        self._sum_s += sum(recent)
