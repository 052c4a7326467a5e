"""Time of the simulated broker: its zone, a clock that may run fast, when symbols trade.

=========  ========================================  =========================
hours      Monday to Thursday                        Friday
=========  ========================================  =========================
``fx``     00:00-24:00                               00:00-23:57
``metals`` 01:00-24:00                               01:00-24:00
``crypto`` 00:00-24:00, every day of the week
=========  ========================================  =========================

These are the hours in which the packaged bars have quotes, in the broker's wall clock:
ICMarketsSC-Demo's for forex, those of the XAUUSD file for metals.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ea_bridge.model import DayOfWeek
from ea_bridge.simulation.specs import TradingHours

_HOUR_MS = 3_600_000
_AHEAD_OF_NEW_YORK_MS = 7 * _HOUR_MS
_NEW_YORK = ZoneInfo("America/New_York")
_WINTER_MS, _SUMMER_MS = 2 * 3_600_000, 3 * 3_600_000
_LAST_YEAR = 2100


@lru_cache(maxsize=256)
def _offset_of_hour_ms(hour: int) -> int:
    """Return broker time minus UTC in an hour since 1970: clocks are changed on the hour."""
    offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(_NEW_YORK).utcoffset()
    assert offset is not None  # an aware time has one
    return int(offset.total_seconds()) * 1000 + _AHEAD_OF_NEW_YORK_MS


class BrokerZone:
    """The wall clock of most brokers: New York plus seven hours.

    Their midnight is New York's close: UTC+2, and UTC+3 in America's summer. MetaTrader types
    this clock as if it were UTC: "broker milliseconds" are its reading since 1970.
    """

    def offset_ms(self, utc_ms: int) -> int:
        """Return broker time minus UTC at a moment."""
        return _offset_of_hour_ms(utc_ms // _HOUR_MS)

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
        # in the hour that comes twice the two readings differ: the later one, winter's, is meant
        is_summer = self.offset_ms(winter) == self.offset_ms(summer) == _SUMMER_MS
        return summer if is_summer else winter


@lru_cache(maxsize=4)
def left_out(first_year: int) -> tuple[range, ...]:
    """Return the minutes that the brokers' clock leaps over each spring from a year on.

    They count from 1970 in broker time. Nothing happens in them: no clock shows them.
    """
    zone = BrokerZone()
    return tuple(_leap(zone, year) for year in range(first_year, _LAST_YEAR))


def _leap(zone: BrokerZone, year: int) -> range:
    winter, summer = (
        int(datetime(year, month, 15, tzinfo=UTC).timestamp()) // 60 for month in (1, 7)
    )
    # by halving the interval: zoneinfo does not tell when an offset changes
    while summer - winter > 1:
        middle = (winter + summer) // 2
        if zone.offset_ms(middle * 60_000) == _WINTER_MS:
            winter = middle
        else:
            summer = middle
    return range(summer + _WINTER_MS // 60_000, summer + _SUMMER_MS // 60_000)


class MarketClock:
    """Market time that runs ``speed`` times as fast as real time.

    It is UTC, which goes on evenly while the broker's wall clock is put on or back. Real time is
    an argument, in seconds of a clock that never goes back; the emulator's faults may jump market
    time itself.

    Args:
        start_ms: market time at the beginning.
        real_s: real time at the beginning.
        speed: market seconds a real second; above 0.

    """

    def __init__(self, start_ms: int, real_s: float, speed: float = 1.0) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed must be a number above 0, not {speed}")
        self.speed = speed
        self._start_ms = start_ms
        self._real_s = real_s

    def now_ms(self, real_s: float) -> int:
        """Return market time, in UTC milliseconds, at a real time."""
        return self._start_ms + int((real_s - self._real_s) * 1000 * self.speed)

    def real_s(self, ms: int) -> float:
        """Return the real time at which market time is ``ms``."""
        return self._real_s + (ms - self._start_ms) / (1000 * self.speed)

    def jump(self, by_ms: int) -> None:
        """Put market time forward, or back if negative."""
        self._start_ms += by_ms


DAY = 1440
WEEK = 7 * DAY
MONDAY = 4 * DAY
"""From Thursday, the first of January 1970, to the first Monday. Minutes."""
_WEEKDAYS = (
    DayOfWeek.MONDAY,
    DayOfWeek.TUESDAY,
    DayOfWeek.WEDNESDAY,
    DayOfWeek.THURSDAY,
    DayOfWeek.FRIDAY,
)
_ALL_DAYS = (*_WEEKDAYS, DayOfWeek.SATURDAY, DayOfWeek.SUNDAY)


class SessionSpan(NamedTuple):
    """One trading session: ``from_s`` inclusive to ``to_s`` exclusive, in seconds of the day."""

    day: DayOfWeek
    from_s: int
    to_s: int


class Hours:
    """Trading hours of a symbol. Sessions begin and end on full minutes."""

    def __init__(self, sessions: list[SessionSpan]) -> None:
        self.sessions = sessions
        self._open = bytearray(WEEK)
        for day, from_s, to_s in sessions:
            # MetaTrader's week begins on Sunday, the table on Monday
            monday_based = (day - DayOfWeek.MONDAY) % 7 * DAY
            begin, end = monday_based + from_s // 60, monday_based + to_s // 60
            self._open[begin:end] = b"\1" * (end - begin)

    def is_open(self, time_msc: int) -> bool:
        """Whether the symbol trades at a moment, in broker milliseconds."""
        return self.is_open_minute(time_msc // 60_000)

    def is_open_minute(self, minute: int) -> bool:
        """Whether the symbol trades in a minute, counted since 1970."""
        return self._open[(minute - MONDAY) % WEEK] == 1

    def next_open(self, time_msc: int) -> int:
        """Return when it trades next: the moment itself, or the beginning of a session."""
        minute = time_msc // 60_000
        if self.is_open_minute(minute):
            return time_msc
        into_week = (minute - MONDAY) % WEEK
        ahead = (self._open[into_week:] + self._open[:into_week]).index(1)
        return (minute + ahead) * 60_000


@lru_cache(maxsize=8)
def hours_of(kind: TradingHours, *, always: bool = False) -> Hours:
    """Return the table of a kind of symbol; with ``always`` it trades around the clock."""
    if always or kind == "crypto":
        return Hours([SessionSpan(day, 0, 86_400) for day in _ALL_DAYS])
    if kind == "metals":
        return Hours([SessionSpan(day, 3600, 86_400) for day in _WEEKDAYS])
    friday_s = 23 * 3600 + 57 * 60
    early = {DayOfWeek.FRIDAY: friday_s}
    return Hours([SessionSpan(day, 0, early.get(day, 86_400)) for day in _WEEKDAYS])
