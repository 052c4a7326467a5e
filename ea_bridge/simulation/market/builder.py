"""The forming bar of one symbol and timeframe, followed tick by tick."""

from __future__ import annotations

from ea_bridge.model import Bar, Tick, Timeframe

from .periods import bar_end, bar_start
from .span import Span, join, span_of


class BarBuilder:
    """Follows a bar from tick to tick, as a chart does.

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
        span: Span | None = None,
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
