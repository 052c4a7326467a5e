"""Calendar of the simulated days: their beginning, trading hours, and days of the broker."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ea_bridge.simulation.clock import BrokerZone

from ..clocks import HOUR_S, WEEKENDS_S

DAY_S = 86_400
BEFORE_S = 25 * HOUR_S
"""So long before the markets close for a weekend a run begins: an hour before the broker's
midnight between Thursday and Friday."""
MIDNIGHT_S = 1800
"""Around the broker's midnight, in which bots ask much more often than else."""
NIGHT_HOURS = frozenset({23, 0, 1, 2, 3, 4, 5})
"""Hours of UTC in which hardly anybody trades."""


def drawn_weekend(dice: Random) -> tuple[int, int]:
    """Return from when until when the markets rest in a run: an ordinary weekend, or one at which
    the broker puts its clock on or back; in seconds since 1970."""
    return dice.choice(WEEKENDS_S)


class TradingDays:
    """The days of a broker, by the true time.

    Args:
        true_s: the true time, in seconds since 1970.
        weekend: from when until when the markets rest.

    """

    def __init__(self, true_s: Callable[[], float], weekend: tuple[int, int]) -> None:
        self._true_s, self.weekend = true_s, weekend
        self._zone = BrokerZone()

    def broker_s(self, at_s: float) -> float:
        """Return what the broker's clock shows, in seconds since 1970."""
        return at_s + self._zone.offset_ms(int(at_s * 1000)) / 1000

    def utc_s(self, broker_msc: int) -> float:
        """Return the true time of a stamp of the broker's."""
        return self._zone.to_utc_ms(broker_msc) / 1000

    def day(self, at_s: float) -> int:
        """Return the day of the broker's clock, counted since 1970."""
        return int(self.broker_s(at_s)) // DAY_S

    def from_midnight_s(self, at_s: float) -> float:
        """Return how far a moment is from the nearest midnight of the broker's clock."""
        into_s = self.broker_s(at_s) % DAY_S
        return min(into_s, DAY_S - into_s)

    def has_changed(self, begun_s: float) -> bool:
        """Whether the broker has put its clock on or back since a moment."""
        now_s = self._true_s()
        return self.broker_s(begun_s) - begun_s != self.broker_s(now_s) - now_s

    def is_closed(self, around_s: float = 0.0) -> bool:
        """Whether the markets rest now, or do so soon or did just before."""
        begins_s, ends_s = self.weekend
        return begins_s - around_s <= self._true_s() < ends_s + around_s

    def is_quiet(self) -> bool:
        """Whether hardly anybody trades now: it is night, or well within the weekend."""
        now_s = self._true_s()
        if self.weekend[0] + MIDNIGHT_S <= now_s < self.weekend[1] - MIDNIGHT_S:
            return True
        return int(now_s) % DAY_S // HOUR_S in NIGHT_HOURS

    def bot_pause_s(self, pause_s: float) -> float:
        """Return how long bots rest between two calls who rest so long by day."""
        if self.is_quiet():
            return pause_s * 6
        return pause_s / 8 if self.from_midnight_s(self._true_s()) < MIDNIGHT_S else pause_s
