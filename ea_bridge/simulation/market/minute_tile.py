"""One-minute bars of whole weeks, packed into arrays: the ground that sources stand on."""

from __future__ import annotations

from array import array
from typing import NamedTuple

from .bars import PriceSpan
from .hours import DAY, WEEK

MAX_TICKS_A_MINUTE = 600
"""Bars with more ticks are cut to so many: a replay need not be a flood."""
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
