"""How fast orders go to one account: a leaking bucket, and counts of the minute and the day."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from ea_bridge import host

MAX_COUNTED = 10_000
"""Orders of the last minute that are remembered; a limit above that counts as that."""
MAX_OF_SYMBOL = 1000
"""The same of one symbol, for its own limit."""
MINUTE_S = 60.0
DAY_MS = 86_400_000
PAST_MS = 7 * DAY_MS
"""How far back orders are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is counted of a new order."""

    symbol: str
    likeness: Hashable
    """Orders with the same one are alike."""
    utc_ms: int
    day: int
    """Of the broker's clock, counted since 1970."""


@dataclass(eq=False, frozen=True, slots=True)
class Step:
    """One order that went, or that was about to go."""

    at_s: float
    mark: Mark


class SentOrder(NamedTuple):
    """A new order of the past."""

    utc_ms: int
    """By our clock, which may have been wrong then."""
    symbol: str
    broker_ms: int | None = None
    """What the broker's quotes showed then; ``None``: there were none."""
    day: int | None = None
    """That it was counted for, as of :class:`Mark`; ``None``: an earlier version has sent it."""

    def day_of(self, to_broker_ms: Callable[[int], int]) -> int:
        """Return the day that it counts for; quotes may have been days old when it was sent."""
        if self.day is not None:
            return self.day
        broker_ms = to_broker_ms(self.utc_ms) if self.broker_ms is None else self.broker_ms
        return broker_ms // DAY_MS


class Pace:
    """What went to one account lately.

    Args:
        monotonic_s: seconds that only grow.

    """

    def __init__(self, monotonic_s: Callable[[], float] = host.monotonic_s) -> None:
        self._monotonic_s = monotonic_s
        self._begun_s = monotonic_s()
        self._level = 0.0
        self._level_s = monotonic_s()
        self._steps: deque[Step] = deque(maxlen=MAX_COUNTED)
        self._days: Counter[int] = Counter()
        self._symbols: dict[str, deque[int]] = {}

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

    def alike(self, likeness: Hashable, seconds: float) -> int:
        """Return how many of them were alike."""
        since = self._monotonic_s() - seconds
        return sum(1 for one in self._steps if one.at_s > since and one.mark.likeness == likeness)

    def today(self, day: int) -> int:
        """Return how many went on that day of the broker's clock."""
        return self._days[day]

    def of_symbol(self, symbol: str, since_ms: int) -> int:
        """Return how many went for a symbol since a moment, UTC milliseconds."""
        return sum(1 for one in self._symbols.get(symbol, ()) if one > since_ms)

    def recall(
        self, orders: Iterable[SentOrder], to_broker_ms: Callable[[int], int], now_ms: int
    ) -> None:
        """Count what went before the daemon was started; by days and symbols, instead of what was
        counted so far.
        """
        self._days.clear()
        self._symbols.clear()
        before: list[Step] = []
        for order in sorted(orders, key=itemgetter(0)):
            utc_ms, symbol, day = order.utc_ms, order.symbol, order.day_of(to_broker_ms)
            mark = Mark(symbol=symbol, likeness=None, utc_ms=utc_ms, day=day)
            self._count(symbol, utc_ms, day)
            age_s = (now_ms - utc_ms) / 1000
            # after a clock was set back nobody knows how long ago; a minute later it is no matter
            at_s = self._monotonic_s() - age_s if age_s >= 0 else self._begun_s
            if abs(age_s) < MINUTE_S and at_s <= self._begun_s:
                before.append(Step(at_s, mark))
        self._steps = deque((*before, *self._steps), maxlen=MAX_COUNTED)

    def step(self, mark: Mark) -> Step:
        """Count a new order."""
        now_s = self._monotonic_s()
        while self._steps and self._steps[0].at_s <= now_s - MINUTE_S:
            self._steps.popleft()
        step = Step(now_s, mark)
        self._steps.append(step)
        self._count(mark.symbol, mark.utc_ms, mark.day)
        return step

    def take_back(self, step: Step) -> None:
        """Do not count an order that was not sent after all."""
        mark = step.mark
        with suppress(ValueError):
            self._steps.remove(step)
        with suppress(ValueError):
            self._symbols[mark.symbol].remove(mark.utc_ms)
        if self._days[mark.day]:
            self._days[mark.day] -= 1

    def _count(self, symbol: str, utc_ms: int, day: int) -> None:
        if day not in self._days:
            for past in [one for one in self._days if one < day - 1]:
                del self._days[past]
        self._days[day] += 1
        times = self._symbols.setdefault(symbol, deque(maxlen=MAX_OF_SYMBOL))
        times.append(utc_ms)
