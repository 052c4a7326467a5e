"""Rate limits: buckets that fill again, for a bounded number of callers."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ea_bridge import host

MAX_CALLERS = 10_000
"""Remembered at a time; the one unheard for longest is forgotten."""


@dataclass
class _Bucket:
    left: float
    at: float


class RateLimiter:
    """Bounds on the calls of each caller.

    Args:
        burst: calls at once.
        per_s: calls a second for ever.
        clock: in seconds, never back.
        max_callers: remembered at a time.

    """

    def __init__(
        self,
        burst: int,
        per_s: float,
        clock: Callable[[], float] = host.monotonic_s,
        max_callers: int = MAX_CALLERS,
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._max_callers = max_callers
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def allows(self, caller: Hashable) -> bool:
        """Count a call and tell whether it is within the bounds."""
        return not self.wait_s(caller)

    def wait_s(self, caller: Hashable) -> float:
        """Count a call if it is within the bounds: 0; else return how long it is too early."""
        now = self._clock()
        bucket = self._buckets.setdefault(caller, _Bucket(self._burst, now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._max_callers:
            self._buckets.popitem(last=False)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) / self._per_s if self._per_s else math.inf
        bucket.left -= 1
        return 0.0
