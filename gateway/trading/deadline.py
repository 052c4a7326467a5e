"""Until when a trade is worth handing to the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ea_bridge import host
from gateway.errors import DeadlineExceeded

DEFAULT_TTL_MS = 5000
"""Of a trade whose caller names neither ``ttl_ms`` nor ``deadline_ms``."""
SLACK_MS = 1000
"""How far the wall clock, which is set now and then, may lag behind one that only runs on."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment, UTC milliseconds; it also remembers when the call arrived.

    A terminal that was frozen must not carry out stale orders when it wakes up.
    """

    at_ms: int
    now_ms: Callable[[], int]
    within_ms: int
    """How far off it was when the call arrived: a clock that is put back does not prolong it."""
    arrived_s: float = field(default_factory=host.perf_s)

    @classmethod
    def of(cls, now_ms: Callable[[], int], ttl_ms: int | None, at_ms: int | None) -> Deadline:
        """Return the earlier of now plus ``ttl_ms`` and ``at_ms``; by default 5 s from now."""
        if ttl_ms is None and at_ms is None:
            ttl_ms = DEFAULT_TTL_MS
        arrived_ms = now_ms()
        ends = [] if ttl_ms is None else [arrived_ms + ttl_ms]
        if at_ms is not None:
            ends.append(at_ms)
        return cls(min(ends), now_ms, min(ends) - arrived_ms)

    def passed_ms(self) -> float:
        """Return how long ago the call arrived."""
        return round((host.perf_s() - self.arrived_s) * 1000, 3)

    def remaining_ms(self) -> int:
        """Return what is left, at least 1.

        Raises:
            DeadlineExceeded: nothing is.

        """
        left = min(self.at_ms - self.now_ms(), self.within_ms)
        if left <= 0 or self.passed_ms() >= self.within_ms + SLACK_MS:
            raise self.exceeded()
        return left

    def exceeded(self) -> DeadlineExceeded:
        """Return the error that says how late it is."""
        return DeadlineExceeded(outcome="not_sent", late_ms=max(0, self.now_ms() - self.at_ms))
