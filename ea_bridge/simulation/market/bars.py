"""Bars: prices of a stretch of time, alignment of timeframes, a bar that forms, packed minutes.

Times are minutes since 1970, broker time. MetaTrader aligns weeks to Sunday, months to the
calendar, all else in whole steps from midnight. A :class:`MinuteTile` holds one-minute bars of
whole weeks, packed into arrays: the ground that sources stand on.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from ea_bridge.model import Bar, Tick, Timeframe
from ea_bridge.simulation.clock import DAY, WEEK


class PriceSpan(NamedTuple):
    """Prices of a stretch of time. Bids make open, high, low and close; all in points.

    ``spread`` is the least of all ticks: in the recorded bars it falls with the length of the
    period (85 in the first minute of a day, 5 in its first hour, 0 over the day).
    """

    open: int
    high: int
    low: int
    close: int
    volume: int
    spread: int
    ask_high: int
    ask_low: int

    def shifted(self, points: int) -> PriceSpan:
        """Return the span at prices that differ by a constant."""
        return PriceSpan(
            self.open + points,
            self.high + points,
            self.low + points,
            self.close + points,
            self.volume,
            self.spread,
            self.ask_high + points,
            self.ask_low + points,
        )

    def bar(self, time_s: int, scale: int) -> Bar:
        """Return the bar that opens at ``time_s``; ``scale`` is points a unit of price."""
        return Bar(
            time_s,
            self.open / scale,
            self.high / scale,
            self.low / scale,
            self.close / scale,
            self.volume,
            self.spread,
        )


def join(spans: Iterable[PriceSpan | None]) -> PriceSpan | None:
    """Join stretches that follow each other; those without a tick are ``None``."""
    joined: PriceSpan | None = None
    for span in spans:
        if span is None:
            continue
        joined = span if joined is None else _join_two(joined, span)
    return joined


def span_of(ticks: Iterable[Tick], scale: int) -> PriceSpan | None:
    """Return the span of ticks; those without prices (bid 0) don't count."""
    return join(_single(tick, scale) for tick in ticks if tick.bid > 0)


def _single(tick: Tick, scale: int) -> PriceSpan:
    bid, ask = round(tick.bid * scale), round(tick.ask * scale)
    return PriceSpan(bid, bid, bid, bid, 1, ask - bid, ask, ask)


def _join_two(first: PriceSpan, second: PriceSpan) -> PriceSpan:
    return PriceSpan(
        first.open,
        max(first.high, second.high),
        min(first.low, second.low),
        second.close,
        first.volume + second.volume,
        min(first.spread, second.spread),
        max(first.ask_high, second.ask_high),
        min(first.ask_low, second.ask_low),
    )


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
        # from the first of a month 32 days lead into the next one, whatever its length
        return bar_start(timeframe, start + _MORE_THAN_A_MONTH)
    return start + timeframe.minutes


class BarBuilder:
    """Forming bar of one symbol and timeframe, followed from tick to tick as a chart does.

    A bar closes when the first tick of a later one arrives, not when its time is over: that is
    how MetaTrader does it, and so a bar without ticks never exists.

    Args:
        timeframe: the length.
        digits: of the symbol.
        start: minute at which the forming bar opened; ignored without ``span``.
        span: what has happened in it.
        until_msc: up to when; ticks that old are part of ``span`` already.

    """

    def __init__(
        self,
        timeframe: Timeframe,
        digits: int,
        start: int = 0,
        span: PriceSpan | None = None,
        until_msc: int = 0,
    ) -> None:
        self.timeframe = timeframe
        self._scale = 10**digits
        self._start = start
        self._end = 0 if span is None else bar_end(timeframe, start)
        self._span = span
        self._until_msc = until_msc

    @property
    def forming(self) -> Bar | None:
        """The bar so far, or ``None`` before the first tick."""
        if self._span is None:
            return None
        return self._span.bar(self._start * 60, self._scale)

    def add(self, tick: Tick) -> Bar | None:
        """Take a tick; return the bar that it closed, if it did."""
        if tick.time_msc <= self._until_msc:
            return None
        minute = tick.time_msc // 60_000
        new = span_of((tick,), self._scale)
        # a quote without prices begins no bar
        if new is None or (self._span is not None and minute < self._end):
            self._span = join((self._span, new))
            return None
        closed = self.forming
        self._start = bar_start(self.timeframe, minute)
        self._end = bar_end(self.timeframe, self._start)
        self._span = new
        return closed


MAX_TICKS_A_MINUTE = 600
"""Bars with more ticks are cut to so many: a replay need not be a flood."""
# of empty slots: the most and the least over a stretch pass them by
_NO_HIGH, _NO_LOW, _NO_SPREAD = -(2**30), 2**30, 2**30
_MOST_TURNS = 4
_CACHED_LENGTH = 60
_MAX_CACHED = 4096
_SATURDAY, _TWO_DAYS = 5 * DAY, 2 * DAY


class MinuteBar(NamedTuple):
    """One minute. Prices in points."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    spread: int


class MinuteTile:
    """Minutes from a Monday 00:00 on; a slot is a minute's number in the tile.

    Prices are in points of ``digits``. A slot without a tick has volume 0.
    """

    def __init__(self, weeks: int, digits: int) -> None:
        self.size = weeks * WEEK
        self.digits = digits
        self._open = array("i", [0]) * self.size
        self._high = array("i", [_NO_HIGH]) * self.size
        self._low = array("i", [_NO_LOW]) * self.size
        self._close = array("i", [0]) * self.size
        self._volume = array("i", [0]) * self.size
        self._spread = array("i", [_NO_SPREAD]) * self.size
        self._ask_high = array("i", [_NO_HIGH]) * self.size
        self._ask_low = array("i", [_NO_LOW]) * self.size
        self._known: dict[tuple[int, int], PriceSpan | None] = {}

    def put(self, slot: int, bar: MinuteBar) -> None:
        """Set a minute. Its volume becomes what its prices need at least, and the most allowed."""
        opened, high, low, close, volume, spread = bar
        # open, two extremes and close are four ticks: only below that it has to be counted
        if volume < _MOST_TURNS:
            volume = max(volume, least_volume(bar))
        self._open[slot] = opened
        self._high[slot] = high
        self._low[slot] = low
        self._close[slot] = close
        self._volume[slot] = min(volume, MAX_TICKS_A_MINUTE)
        self._spread[slot] = spread
        self._ask_high[slot] = high + spread
        self._ask_low[slot] = low + spread

    def put_span(self, slot: int, span: PriceSpan) -> None:
        """Set a minute of recorded ticks, as it was."""
        self._open[slot] = span.open
        self._high[slot] = span.high
        self._low[slot] = span.low
        self._close[slot] = span.close
        self._volume[slot] = span.volume
        self._spread[slot] = span.spread
        self._ask_high[slot] = span.ask_high
        self._ask_low[slot] = span.ask_low

    def minute(self, slot: int) -> MinuteBar | None:
        """Return a minute, or ``None`` where there was no tick."""
        if not self._volume[slot]:
            return None
        return MinuteBar(
            self._open[slot],
            self._high[slot],
            self._low[slot],
            self._close[slot],
            self._volume[slot],
            self._spread[slot],
        )

    def span(self, slot: int, minutes: int) -> PriceSpan | None:
        """Return what happened in ``minutes`` from ``slot`` on, inside the tile."""
        # whole hours alone are kept: longer bars are put together of them again and again
        if minutes % _CACHED_LENGTH or slot % _CACHED_LENGTH:
            return self._span(slot, minutes)
        key = (slot, minutes)
        if key not in self._known:
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            self._known[key] = self._span(slot, minutes)
        return self._known[key]

    def fill_weekends(self) -> None:
        """Let Saturdays and Sundays without quotes repeat the Thursday and Friday before."""
        for saturday in range(_SATURDAY, self.size, WEEK):
            if any(self._volume[saturday : saturday + _TWO_DAYS]):
                continue
            for column in self._columns():
                column[saturday : saturday + _TWO_DAYS] = column[saturday - _TWO_DAYS : saturday]

    def _span(self, slot: int, minutes: int) -> PriceSpan | None:
        end = slot + minutes
        volumes = self._volume[slot:end]
        volume = sum(volumes)
        if not volume:
            return None
        first = next(n for n, ticks in enumerate(volumes, slot) if ticks)
        last = end - 1 - next(n for n, ticks in enumerate(reversed(volumes)) if ticks)
        return PriceSpan(
            self._open[first],
            max(self._high[slot:end]),
            min(self._low[slot:end]),
            self._close[last],
            volume,
            min(self._spread[slot:end]),
            max(self._ask_high[slot:end]),
            min(self._ask_low[slot:end]),
        )

    def _columns(self) -> tuple[array[int], ...]:
        return (
            self._open,
            self._high,
            self._low,
            self._close,
            self._volume,
            self._spread,
            self._ask_high,
            self._ask_low,
        )


def turning_points(bar: MinuteBar) -> list[int]:
    """Return the prices that a minute must visit, in the strategy tester's order.

    A rising bar goes open, low, high, close; a falling one open, high, low, close. Extremes that
    are open or close themselves are no turns.
    """
    extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    turns = [price for price in extremes if price not in (bar.open, bar.close)]
    last = [bar.close] if turns or bar.close != bar.open or bar.volume > 1 else []
    return [bar.open, *turns, *last]


def least_volume(bar: MinuteBar) -> int:
    """Return how many ticks a minute needs to have its prices."""
    return len(turning_points(bar._replace(volume=1)))
