"""Timeframes: where bars begin and end. Times are minutes since 1970, broker time.

MetaTrader aligns weeks to Sunday, months to the calendar, all else in whole steps from midnight.
"""

from __future__ import annotations

from datetime import date

from ea_bridge.model import Timeframe

from .hours import DAY, WEEK

_SUNDAY = 3 * DAY
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MORE_THAN_A_MONTH = 32 * DAY


def bar_start(timeframe: Timeframe, minute: int) -> int:
    """Return when the bar that holds a minute opens."""
    if timeframe is Timeframe.MN1:
        day = date.fromordinal(_EPOCH_DAY + minute // DAY)
        return (day.replace(day=1).toordinal() - _EPOCH_DAY) * DAY
    if timeframe is Timeframe.W1:
        return minute - (minute - _SUNDAY) % WEEK
    return minute - minute % timeframe.minutes  # every length divides the day


def bar_end(timeframe: Timeframe, start: int) -> int:
    """Return when the bar that opens at ``start`` has ended: the first minute after it."""
    if timeframe is Timeframe.MN1:
        return bar_start(timeframe, start + _MORE_THAN_A_MONTH)
    return start + timeframe.minutes
