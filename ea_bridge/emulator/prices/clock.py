"""Time as the emulated broker has it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_AHEAD_OF_NEW_YORK_S = 7 * 3600


class BrokerZone:
    """The wall clock of most brokers: midnight is New York's close, so UTC+2 or, in America's
    summer, UTC+3. MetaTrader types it as if it were UTC.
    """

    def __init__(self) -> None:
        self._zone = ZoneInfo("America/New_York")

    def offset_s(self, utc_s: int) -> int:
        """Broker time minus UTC at a moment."""
        offset = datetime.fromtimestamp(utc_s, UTC).astimezone(self._zone).utcoffset()
        assert offset is not None  # an aware time has one
        return int(offset.total_seconds()) + _AHEAD_OF_NEW_YORK_S

    def to_broker_ms(self, utc_ms: int) -> int:
        """Turn UTC milliseconds into the broker's."""
        return utc_ms + self.offset_s(utc_ms // 1000) * 1000

    def to_utc_ms(self, broker_ms: int) -> int:
        """Turn the broker's milliseconds into UTC; in the hour that comes twice, the second."""
        guess = broker_ms - self.offset_s(broker_ms // 1000) * 1000
        return broker_ms - self.offset_s(guess // 1000) * 1000


class MarketClock:
    """Market time that runs ``speed`` times as fast as real time.

    Args:
        start_msc: market time at the beginning.
        real_s: real time at the beginning, of a clock that never goes back.

    """

    def __init__(self, start_msc: int, real_s: float, speed: float = 1.0) -> None:
        self._start_msc, self._real_s, self._speed = start_msc, real_s, speed

    def now_msc(self, real_s: float) -> int:
        """Return market time at a real time."""
        return self._start_msc + int((real_s - self._real_s) * 1000 * self._speed)
