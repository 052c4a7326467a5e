"""Time as the emulated broker has it: its zone, and a clock that may run fast."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_AHEAD_OF_NEW_YORK_MS = 7 * 3_600_000
_WINTER_MS, _SUMMER_MS = 2 * 3_600_000, 3 * 3_600_000


class BrokerZone:
    """The wall clock of most brokers: New York plus seven hours.

    Their midnight is New York's close: UTC+2, and UTC+3 in America's summer. MetaTrader types
    this clock as if it were UTC: "broker milliseconds" are its reading since 1970.
    """

    def __init__(self) -> None:
        self._new_york = ZoneInfo("America/New_York")

    def offset_ms(self, utc_ms: int) -> int:
        """Return broker time minus UTC at a moment."""
        moment = datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(self._new_york)
        offset = moment.utcoffset()
        assert offset is not None  # an aware time has one
        return int(offset.total_seconds()) * 1000 + _AHEAD_OF_NEW_YORK_MS

    def to_broker_ms(self, utc_ms: int) -> int:
        """Turn UTC milliseconds into broker milliseconds."""
        return utc_ms + self.offset_ms(utc_ms)

    def to_utc_ms(self, broker_ms: int) -> int:
        """Turn broker milliseconds into UTC milliseconds.

        Of the hour that comes twice in autumn the second is meant; the hour that is left out in
        spring is read as winter's. Both lie in the Sunday, when forex is closed.
        """
        winter = broker_ms - _WINTER_MS
        summer = broker_ms - _SUMMER_MS
        is_summer = self.offset_ms(winter) == self.offset_ms(summer) == _SUMMER_MS
        return summer if is_summer else winter


class MarketClock:
    """Market time that runs ``speed`` times as fast as real time.

    Real time is an argument, in seconds of a clock that never goes back; the emulator's faults
    may jump market time itself.

    Args:
        start_msc: market time at the beginning.
        real_s: real time at the beginning.
        speed: market seconds a real second; above 0.

    """

    def __init__(self, start_msc: int, real_s: float, speed: float = 1.0) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed must be a number above 0, not {speed}")
        self.speed = speed
        self._start_msc = start_msc
        self._real_s = real_s

    def now_msc(self, real_s: float) -> int:
        """Return market time, in broker milliseconds, at a real time."""
        return self._start_msc + int((real_s - self._real_s) * 1000 * self.speed)

    def real_s(self, msc: int) -> float:
        """Return the real time at which market time is ``msc``."""
        return self._real_s + (msc - self._start_msc) / (1000 * self.speed)

    def jump(self, by_ms: int) -> None:
        """Put market time forward, or back if negative."""
        self._start_msc += by_ms
