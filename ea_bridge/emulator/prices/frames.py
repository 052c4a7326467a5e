"""Bars of any period from bars of a shorter one, aligned as MetaTrader aligns them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from ea_bridge.model import Bar, Tick, Timeframe

DAY_S = 86_400
WEEK_S = 7 * DAY_S
_SUNDAY_S = 3 * DAY_S
"""From Thursday, the first of January 1970, to the first Sunday."""


def opened_at(timeframe: Timeframe, time_s: int) -> int:
    """Return when the bar that holds a moment opened: weeks on Sunday, months on the first,
    all else in whole steps from midnight.
    """
    if timeframe is Timeframe.MN1:
        day = datetime.fromtimestamp(time_s, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp())
    if timeframe is Timeframe.W1:
        return (time_s - _SUNDAY_S) // WEEK_S * WEEK_S + _SUNDAY_S
    step_s = timeframe.minutes * 60
    midnight = time_s // DAY_S * DAY_S
    return midnight + (time_s - midnight) // step_s * step_s


def opened_after(timeframe: Timeframe, time_s: int) -> int:
    """Return when the next bar opens, if there are quotes."""
    if timeframe is Timeframe.MN1:
        return opened_at(timeframe, opened_at(timeframe, time_s) + 32 * DAY_S)
    return opened_at(timeframe, time_s) + timeframe.minutes * 60


def merge(timeframe: Timeframe, bars: Iterable[Bar]) -> list[Bar]:
    """Join shorter bars, in their order, into those of ``timeframe``."""
    merged: list[Bar] = []
    for bar in bars:
        time_s = opened_at(timeframe, bar.time)
        if merged and merged[-1].time == time_s:
            merged[-1] = _joined(merged[-1], bar)
        else:
            merged.append(moved(bar, time_s - bar.time))
    return merged


def moved(bar: Bar, by_s: int, price: float = 0.0, digits: int = 8) -> Bar:
    """Return the bar at another time, and at prices that differ by a constant."""
    if not by_s and not price:
        return bar
    return Bar(
        bar.time + by_s,
        round(bar.open + price, digits),
        round(bar.high + price, digits),
        round(bar.low + price, digits),
        round(bar.close + price, digits),
        bar.tick_volume,
        bar.spread,
        bar.real_volume,
    )


def _joined(first: Bar, second: Bar) -> Bar:
    return Bar(
        first.time,
        first.open,
        max(first.high, second.high),
        min(first.low, second.low),
        second.close,
        first.tick_volume + second.tick_volume,
        min(first.spread, second.spread),
        first.real_volume + second.real_volume,
    )


class BarBuilder:
    """The forming bar of one symbol and period, fed tick by tick.

    Args:
        timeframe: the period.
        forming: the bar so far, or ``None`` where there were no quotes yet.
        point: the symbol's, to tell the spread.

    """

    def __init__(self, timeframe: Timeframe, forming: Bar | None, point: float) -> None:
        self.timeframe = timeframe
        self.forming = forming
        self._point = point
        self._ends_s = 0 if forming is None else opened_after(timeframe, forming.time)

    def add(self, tick: Tick) -> Bar | None:
        """Take a tick; return the bar that it closed, if it did."""
        single = bar_of([tick], tick.time_msc // 1000, self._point)
        if self.forming is not None and single.time < self._ends_s:
            self.forming = _joined(self.forming, single)
            return None
        closed = self.forming
        opened = opened_at(self.timeframe, single.time)
        self.forming = moved(single, opened - single.time)
        self._ends_s = opened_after(self.timeframe, opened)
        return closed


def bar_of(ticks: list[Tick], time_s: int, point: float) -> Bar:
    """Return the bar of ticks (one at least): bids build it, the least spread is its own."""
    bids = [tick.bid for tick in ticks]
    spread = min(round((tick.ask - tick.bid) / point) for tick in ticks)
    return Bar(time_s, bids[0], max(bids), min(bids), bids[-1], len(ticks), spread)
