"""When a symbol can be traded."""

from __future__ import annotations

from .frames import DAY_S, WEEK_S

_MONDAY_S = 4 * DAY_S
"""From Thursday, the first of January 1970, to the first Monday."""
_FIVE_DAYS_S = 5 * DAY_S


class Sessions:
    """Trading hours of one symbol, in the broker's wall clock.

    Args:
        around_the_clock: open every day. Else from Monday 00:00 to Friday 24:00, as brokers whose
            midnight is New York's close have it.

    """

    def __init__(self, *, around_the_clock: bool) -> None:
        self._always = around_the_clock

    def is_open(self, time_msc: int) -> bool:
        """Whether the market is open at a moment."""
        return self._always or self._into_week(time_msc) < _FIVE_DAYS_S

    def next_open(self, time_msc: int) -> int:
        """Return when the market opens next, in milliseconds; the moment itself if it is open."""
        if self.is_open(time_msc):
            return time_msc
        return (time_msc // 1000 + WEEK_S - self._into_week(time_msc)) * 1000

    def _into_week(self, time_msc: int) -> int:
        return (time_msc // 1000 - _MONDAY_S) % WEEK_S
