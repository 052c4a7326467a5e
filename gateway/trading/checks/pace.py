"""How fast orders go to one terminal: a leaking bucket, and counts of the minute and the day."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MAX_COUNTED = 10_000
"""Orders of the last minute that are remembered; a limit above that counts as that."""
MINUTE_S = 60.0


@dataclass(eq=False, frozen=True, slots=True)
class Step:
    """One order that went, or that was about to go."""

    at_s: float
    kind: Hashable
    """Orders of one kind are alike."""
    day: int
    """Of the broker's clock, counted since 1970."""


class Pace:
    """What went to one terminal lately.

    Args:
        monotonic_s: seconds that only grow.

    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._level = 0.0
        self._level_s = monotonic_s()
        self._steps: deque[Step] = deque(maxlen=MAX_COUNTED)
        self._day = 0
        self._in_day = 0

    # --- the bucket ----------------------------------------------------------------------------

    def level(self, per_second: float) -> float:
        """Return how full the bucket is, after it has leaked at that rate since the last drop."""
        return max(0.0, self._level - (self._monotonic_s() - self._level_s) * per_second)

    def pour(self, per_second: float, burst: int) -> None:
        """Count one command of any kind; what always may go cannot overfill the bucket."""
        self._level = min(self.level(per_second) + 1, burst)
        self._level_s = self._monotonic_s()

    # --- the counts ----------------------------------------------------------------------------

    def within(self, seconds: float) -> int:
        """Return how many orders went in the last seconds, at most a minute."""
        since = self._monotonic_s() - seconds
        return sum(1 for one in self._steps if one.at_s > since)

    def alike(self, kind: Hashable, seconds: float) -> int:
        """Return how many of them were of a kind."""
        since = self._monotonic_s() - seconds
        return sum(1 for one in self._steps if one.at_s > since and one.kind == kind)

    def today(self, day: int) -> int:
        """Return how many went on that day of the broker's clock."""
        return self._in_day if day == self._day else 0

    def recall(self, day: int, orders: int) -> None:
        """Count what went on a day before the daemon was started."""
        self._day, self._in_day = day, orders

    def step(self, kind: Hashable, day: int) -> Step:
        """Count a new order."""
        now_s = self._monotonic_s()
        while self._steps and self._steps[0].at_s <= now_s - MINUTE_S:
            self._steps.popleft()
        if day != self._day:
            self._day, self._in_day = day, 0
        self._in_day += 1
        step = Step(now_s, kind, day)
        self._steps.append(step)
        return step

    def take_back(self, step: Step) -> None:
        """Do not count an order that was not sent after all."""
        if step in self._steps:
            self._steps.remove(step)
        if step.day == self._day:
            self._in_day -= 1
