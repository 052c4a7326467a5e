"""Rate limits: buckets of calls that fill again, and a throttle on answers to wrong tokens."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ea_bridge import host

FAILURES_PER_S = 10.0
"""Answers to wrong tokens, of all callers together."""
BURST = 10
"""As many are answered at once after a quiet while: a typing error costs nobody time."""
MAX_WAIT_S = 5.0
"""Who would wait longer gets no answer at all."""
MAX_CALLERS = 10_000
"""Remembered at a time; the one unheard for longest is forgotten."""


class ThrottleExceeded(Exception):
    """Error for a failure that gets no answer, since so many tokens fail."""


class FailureThrottle:
    """Throttle that spaces out failures, and only failures.

    Nobody is locked out: on loopback every caller has one address, so a lock would be a weapon
    in the hands of whoever fails on purpose. A valid token never comes here.
    """

    def __init__(self, per_second: float = FAILURES_PER_S) -> None:
        self._interval_s = 1 / per_second
        self._free_at = -math.inf

    async def turn(self) -> None:
        """Wait until one more failure may be answered.

        Raises:
            ThrottleExceeded: that would take longer than ``MAX_WAIT_S``.

        """
        # a bucket as one number: the moment at which all failures so far are paid for
        now = asyncio.get_running_loop().time()
        free_at = max(self._free_at, now - BURST * self._interval_s) + self._interval_s
        if free_at - now > MAX_WAIT_S:
            raise ThrottleExceeded  # and costs no place: it does not make the others wait longer
        self._free_at = free_at
        if free_at > now:
            await asyncio.sleep(free_at - now)


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
        # whoever makes up names must not fill the memory
        if len(self._buckets) > self._max_callers:
            self._buckets.popitem(last=False)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) / self._per_s if self._per_s else math.inf
        bucket.left -= 1
        return 0.0
