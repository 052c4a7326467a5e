"""Bars and ticks of the past and the present, cut to what a request asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ea_bridge.model import Bar, CopyTicks, Tick, Timeframe

from .frames import DAY_S, bar_of, merge, opened_after, opened_at
from .series import Series

EARLIEST_S = 1_577_836_800
"""2020: the emulated broker's history begins here."""
MAX_BARS = 100_000
_HOUR_S = 3600
_QUIET_S = 10 * DAY_S
"""Longer than any time without quotes: looking further back is of no use."""


class History:
    """What has been of one symbol, up to a moment that the caller names."""

    def __init__(self, series: Series, point: float) -> None:
        self._series = series
        self._point = point

    # --- ticks -----------------------------------------------------------------------------

    def last_tick(self, now_msc: int) -> Tick | None:
        """Return the newest tick that is not later than ``now_msc``."""
        return next(self._backwards(now_msc, now_msc - _QUIET_S * 1000), None)

    def ticks_between(self, after_msc: int, until_msc: int) -> list[Tick]:
        """Return the ticks of ``after_msc < time <= until_msc``."""
        return list(self._forwards(after_msc + 1, until_msc))

    def ticks(
        self, now_msc: int, from_msc: int | None, to_msc: int | None, count: int, flags: int
    ) -> list[Tick]:
        """``CopyTicks``: ``count`` at most, from a moment on, or the last ones."""
        until = now_msc if to_msc is None else min(to_msc, now_msc)
        if flags == CopyTicks.TRADE:
            return []  # a broker without a last price has no trade ticks
        if from_msc is not None:
            start = max(from_msc, EARLIEST_S * 1000)
            return list(islice(self._forwards(start, until), count))
        found = list(islice(self._backwards(until, EARLIEST_S * 1000), count))
        return found[::-1]

    def _forwards(self, from_msc: int, until_msc: int) -> Iterator[Tick]:
        for minute_s in range(from_msc // 60_000 * 60, until_msc // 1000 + 1, 60):
            for tick in self._series.minute_ticks(minute_s):
                if from_msc <= tick.time_msc <= until_msc:
                    yield tick

    def _backwards(self, from_msc: int, until_msc: int) -> Iterator[Tick]:
        for minute_s in range(from_msc // 60_000 * 60, until_msc // 1000 - 60, -60):
            for tick in reversed(self._series.minute_ticks(minute_s)):
                if until_msc <= tick.time_msc <= from_msc:
                    yield tick

    # --- bars ------------------------------------------------------------------------------

    def bars(
        self,
        timeframe: Timeframe,
        now_msc: int,
        *,
        start: int | None = None,
        count: int | None = None,
        from_s: int | None = None,
        to_s: int | None = None,
    ) -> list[Bar]:
        """``CopyRates``: see :class:`~ea_bridge.commands.RatesParams`."""
        now_s = now_msc // 1000
        if from_s is not None:
            until = now_s if to_s is None else min(to_s, now_s)
            found = self._span(timeframe, max(from_s, EARLIEST_S), until, now_msc)
            bars = [bar for bar in found if from_s <= bar.time <= until]
            return bars[: count or MAX_BARS]
        skip = start or 0
        wanted = min(count or MAX_BARS, MAX_BARS)
        until = now_s if to_s is None else min(to_s, now_s)
        found = self._last(timeframe, until, now_msc, wanted + skip)
        found = found[: len(found) - skip]
        return found[-wanted:]

    def _last(self, timeframe: Timeframe, until_s: int, now_msc: int, wanted: int) -> list[Bar]:
        reach = timeframe.minutes * 60 * (wanted + 2) + 3 * DAY_S
        while True:
            start = opened_at(timeframe, max(until_s - reach, EARLIEST_S))
            found = self._span(timeframe, start, until_s, now_msc)
            if len(found) >= wanted or start <= EARLIEST_S:
                return found
            reach *= 2

    def _span(self, timeframe: Timeframe, from_s: int, to_s: int, now_msc: int) -> list[Bar]:
        """Return the bars that open from ``from_s`` to ``to_s``, the last one perhaps forming."""
        start = opened_at(timeframe, from_s)
        end = min(opened_after(timeframe, max(to_s, start)), now_msc // 1000 + 1)
        return merge(timeframe, self._parts(timeframe, start, end, now_msc))

    def _parts(self, timeframe: Timeframe, start: int, end: int, now_msc: int) -> Iterator[Bar]:
        hour_s = min(end, now_msc // 1000) // _HOUR_S * _HOUR_S
        minute_s = min(end, now_msc // 1000) // 60 * 60
        if timeframe.minutes % 60 == 0:
            yield from self._series.hours(start, hour_s)
            yield from self._series.minutes(max(start, hour_s), minute_s)
        else:
            yield from self._series.minutes(start, minute_s)
        if minute_s >= start:
            yield from self._partial(minute_s, min(end * 1000, now_msc))

    def _partial(self, minute_s: int, until_msc: int) -> Iterator[Bar]:
        ticks: Sequence[Tick] = [
            tick for tick in self._series.minute_ticks(minute_s) if tick.time_msc <= until_msc
        ]
        if ticks:
            yield bar_of(list(ticks), minute_s, self._point)
