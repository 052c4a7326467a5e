"""Bars: prices of a stretch of time, the alignment of timeframes, a bar that forms.

Times are minutes since 1970, broker time. MetaTrader aligns weeks to Sunday, months to the
calendar, all else in whole steps from midnight.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from ea_bridge.model import Bar, Tick, Timeframe

from .hours import DAY, WEEK


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
        if new is None or (self._span is not None and minute < self._end):
            self._span = join((self._span, new))
            return None
        closed = self.forming
        self._start = bar_start(self.timeframe, minute)
        self._end = bar_end(self.timeframe, self._start)
        self._span = new
        return closed
