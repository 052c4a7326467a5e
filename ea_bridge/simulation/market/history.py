"""One symbol's ticks and bars up to a moment, cut to what a request asks for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from ea_bridge.model import Bar, CopyTicks, SymbolInfo, Tick, TickFlag, Timeframe

from .bars import PriceSpan, bar_end, bar_start, join, span_of
from .hours import DAY
from .sources import TickSource

FIRST_MINUTE = 26_297_280
"""2020-01-01 00:00: history begins here."""
MAX_BARS = 100_000
"""MetaTrader's "max bars in chart": most bars of an answer, and how far positions reach back."""
MAX_TICKS = 200_000
"""Most ticks of an answer: the oldest of what was asked for, or the last ones."""
MAX_CACHED_MINUTES = 8
"""So many minutes of ticks are kept a symbol; all others are made again from the source."""
_HOUR = 60
_QUOTE = int(TickFlag.BID | TickFlag.ASK)


class SymbolHistory:
    """Ticks and bars of one symbol. ``now_msc`` is the present: nothing later is shown."""

    def __init__(self, spec: SymbolInfo, source: TickSource) -> None:
        self._scale = 10**spec.digits
        self._source = source
        self._minute = lru_cache(maxsize=MAX_CACHED_MINUTES)(source.ticks)
        self._last: tuple[int, Tick | None] = (-1, None)

    # --- ticks -----------------------------------------------------------------------------

    def between(self, after_msc: int, until_msc: int) -> Sequence[Tick]:
        """Return the ticks of ``after_msc < time <= until_msc``, which is in one minute."""
        ticks = self._minute(until_msc // 60_000)
        begin = bisect_right(ticks, after_msc, key=_stamp)
        return ticks[begin : bisect_right(ticks, until_msc, key=_stamp)]

    def last_tick(self, now_msc: int) -> Tick | None:
        """Return the newest tick; that of the same moment is asked for many times over."""
        if now_msc != self._last[0]:
            self._last = (now_msc, self._find_last(now_msc))
        return self._last[1]

    def _find_last(self, now_msc: int) -> Tick | None:
        minute = now_msc // 60_000
        for busy in self._busy_back(minute + 1):
            ticks = self._minute(busy)
            count = bisect_right(ticks, now_msc, key=_stamp)
            if count:
                return ticks[count - 1]
        return None

    def ticks(
        self, now_msc: int, from_msc: int | None, to_msc: int | None, count: int | None, flags: int
    ) -> list[Tick]:
        """Return ticks of ``from_msc <= time <= to_msc``, oldest first: see ``TicksParams``."""
        if flags == CopyTicks.TRADE:
            return []  # no source has trades: brokers of forex and CFDs give none
        limit = MAX_TICKS if count is None else min(count, MAX_TICKS)
        until = now_msc if to_msc is None else min(to_msc, now_msc)
        if from_msc is None:
            found = islice(_wanted(self._backwards(until), flags), limit)
            return list(found)[::-1]
        return list(islice(_wanted(self._forwards(from_msc, until), flags), limit))

    def _forwards(self, from_msc: int, until_msc: int) -> Iterator[Tick]:
        last = until_msc // 60_000
        for minute in self._busy(max(from_msc // 60_000, FIRST_MINUTE), last):
            ticks = self._minute(minute)
            begin = bisect_left(ticks, from_msc, key=_stamp)
            yield from ticks[begin : bisect_right(ticks, until_msc, key=_stamp)]

    def _backwards(self, until_msc: int) -> Iterator[Tick]:
        for minute in self._busy_back(until_msc // 60_000 + 1):
            ticks = self._minute(minute)
            yield from reversed(ticks[: bisect_right(ticks, until_msc, key=_stamp)])

    def _busy(self, minute: int, last: int) -> Iterator[int]:
        """Yield the minutes that have ticks, leaving out quiet days and hours at a stride."""
        while minute <= last:
            if self._source.span(minute, 1) is not None:
                yield minute
                minute += 1
            else:
                minute += self._quiet_from(minute)

    def _quiet_from(self, minute: int) -> int:
        for stride in (DAY, _HOUR):
            if minute % stride == 0 and self._source.span(minute, stride) is None:
                return stride
        return 1

    def _busy_back(self, end: int) -> Iterator[int]:
        """Yield the minutes before ``end`` that have ticks, the newest first."""
        while end > FIRST_MINUTE:
            if self._source.span(end - 1, 1) is not None:
                end -= 1
                yield end
            else:
                end -= self._quiet_before(end)

    def _quiet_before(self, end: int) -> int:
        for stride in (DAY, _HOUR):
            if end % stride == 0 and self._source.span(end - stride, stride) is None:
                return stride
        return 1

    # --- bars ------------------------------------------------------------------------------

    def bars(
        self,
        timeframe: Timeframe,
        now_msc: int,
        start: int | None,
        count: int | None,
        from_s: int | None,
        to_s: int | None,
    ) -> list[Bar]:
        """Return bars, oldest first: see ``RatesParams``."""
        limit = MAX_BARS if count is None else min(count, MAX_BARS)
        skipped = start or 0
        if start is not None:
            limit = min(limit, MAX_BARS - skipped)
        if skipped < 0 or limit <= 0:
            return []
        now = now_msc // 60_000
        last = now if to_s is None else min(to_s // 60, now)
        found: list[Bar] = []
        for bar in islice(self._bars_back(timeframe, last, now_msc), skipped, None):
            if len(found) >= limit or (from_s is not None and bar.time < from_s):
                break
            found.append(bar)
        return found[::-1]

    def span(self, start: int, end: int, now_msc: int) -> PriceSpan | None:
        """Return what has happened from minute ``start`` to before ``end`` by now."""
        start, now = max(start, FIRST_MINUTE), now_msc // 60_000
        if end <= now:
            return self._source.span(start, end - start)
        if start > now:
            return None
        whole = self._source.span(start, now - start) if start < now else None
        ticks = self._minute(now)
        unfinished = span_of(ticks[: bisect_right(ticks, now_msc, key=_stamp)], self._scale)
        return join((whole, unfinished))

    def _bars_back(self, timeframe: Timeframe, minute: int, now_msc: int) -> Iterator[Bar]:
        while minute >= FIRST_MINUTE:
            start = bar_start(timeframe, minute)
            span = self.span(start, bar_end(timeframe, start), now_msc)
            if span is not None:
                yield span.bar(start * 60, self._scale)
                minute = start - 1
            else:
                minute = next(self._busy_back(start), -1)


def _wanted(ticks: Iterator[Tick], flags: int) -> Iterator[Tick]:
    if flags == CopyTicks.INFO:
        return (tick for tick in ticks if tick.flags & _QUOTE)
    return ticks


def _stamp(tick: Tick) -> int:
    return tick.time_msc
