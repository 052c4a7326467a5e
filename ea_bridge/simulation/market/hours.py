"""Trading hours of symbols: the broker's tables, in its wall clock.

=========  ========================================  =========================
hours      Monday to Thursday                        Friday
=========  ========================================  =========================
``fx``     00:00-24:00                               00:00-23:57
``metals`` 01:00-24:00                               01:00-24:00
``crypto`` 00:00-24:00, every day of the week
=========  ========================================  =========================

These are the hours in which the packaged bars have quotes: ICMarketsSC-Demo's for forex, those of
the XAUUSD file for metals.
"""

from __future__ import annotations

from typing import NamedTuple

from ea_bridge.model import DayOfWeek
from ea_bridge.simulation.specs import TradingHours

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
            monday_based = (day - DayOfWeek.MONDAY) % 7 * DAY
            for minute in range(from_s // 60, to_s // 60):
                self._open[monday_based + minute] = 1

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


def hours_of(kind: TradingHours, *, always: bool = False) -> Hours:
    """Return the table of a kind of symbol; with ``always`` it trades around the clock."""
    if always or kind == "crypto":
        return Hours([SessionSpan(day, 0, 86_400) for day in _ALL_DAYS])
    if kind == "metals":
        return Hours([SessionSpan(day, 3600, 86_400) for day in _WEEKDAYS])
    friday_s = 23 * 3600 + 57 * 60
    early = {DayOfWeek.FRIDAY: friday_s}
    return Hours([SessionSpan(day, 0, early.get(day, 86_400)) for day in _WEEKDAYS])
