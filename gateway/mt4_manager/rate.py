"""Rate of the requests that an operator may make."""

from __future__ import annotations

from collections.abc import Callable

from gateway.http.rate_limit import RateLimiter

from .errors import RateExceeded

NEVER_S = 3600.0
"""Told to who may ask nothing at all: only a new configuration lets him."""
MAX_NAMES = 1024
"""Operators whose rate is remembered."""


class Rate:
    """A bucket of requests for each operator: it fills steadily and lets bursts through.

    Args:
        per_second: in the long run; ``None`` for as many as come, 0 for none.
        burst: at once, after a pause.
        now_s: seconds that only grow.

    """

    def __init__(self, per_second: float | None, burst: int, now_s: Callable[[], float]) -> None:
        self._per_second = per_second
        self._limiter = RateLimiter(burst, per_second or 0.0, now_s, MAX_NAMES)

    def take(self, operator: str) -> None:
        """Count a request.

        Raises:
            RateExceeded: there are too many; it was not counted.

        """
        if self._per_second is None:
            return
        if not self._per_second:
            raise RateExceeded(NEVER_S)
        if wait_s := self._limiter.wait_s(operator):
            raise RateExceeded(wait_s)
