"""How many requests an operator may make."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .errors import RateExceeded

NEVER_S = 3600.0
"""What who may ask nothing at all is told to wait: only a new configuration lets him."""
MAX_NAMES = 1024
"""Operators whose pace is remembered."""


class Rate:
    """A bucket of requests for each operator: it fills steadily and lets bursts through.

    Args:
        per_second: in the long run; ``None`` for as many as come, 0 for none.
        burst: at once, after a pause.
        now_s: seconds that only grow.

    """

    def __init__(self, per_second: float | None, burst: int, now_s: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now_s = now_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, operator: str) -> None:
        """Count a request.

        Raises:
            RateExceeded: there are too many; it was not counted.

        """
        if self._per_second is None:
            return
        if not self._per_second:
            raise RateExceeded(NEVER_S)
        now_s = self._now_s()
        left, at_s = self._left.get(operator, (float(self._burst), now_s))
        left = min(float(self._burst), left + (now_s - at_s) * self._per_second)
        if left < 1.0:
            raise RateExceeded((1.0 - left) / self._per_second)
        self._left[operator] = (left - 1.0, now_s)
        self._left.move_to_end(operator)
        if len(self._left) > MAX_NAMES:
            self._left.popitem(last=False)
