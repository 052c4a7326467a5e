"""Throttle of answers to wrong tokens."""

from __future__ import annotations

import asyncio
import math

FAILURES_PER_S = 10.0
"""Answers to wrong tokens, of all callers together."""
BURST = 10
"""As many are answered at once after a quiet while: a typing error costs nobody time."""
MAX_WAIT_S = 5.0
"""Who would wait longer gets no answer at all."""


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
        now = asyncio.get_running_loop().time()
        free_at = max(self._free_at, now - BURST * self._interval_s) + self._interval_s
        if free_at - now > MAX_WAIT_S:
            raise ThrottleExceeded
        self._free_at = free_at
        if free_at > now:
            await asyncio.sleep(free_at - now)
