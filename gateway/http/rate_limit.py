"""How often somebody may ask: buckets that fill again, for a bounded number of askers."""

from __future__ import annotations

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
    """Counts calls by caller.

    Args:
        burst: calls at once.
        per_s: calls a second for ever.
        clock: in seconds, never back.

    """

    def __init__(
        self, burst: int, per_s: float, clock: Callable[[], float] = host.monotonic_s
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def allows(self, caller: Hashable) -> bool:
        """Count a call and tell whether it is within the bounds."""
        now = self._clock()
        bucket = self._buckets.setdefault(caller, _Bucket(self._burst, now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True
