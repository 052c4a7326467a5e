"""The prices of one symbol over all time, as ticks and as bars. Pure functions of time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Protocol

from ea_bridge.model import Bar, Tick, Timeframe

from .frames import DAY_S, bar_of, merge, moved, opened_at
from .modelled import MINUTE_MS, ticks_of
from .tile import Minutes

MAX_CACHED_MINUTES = 256
_SATURDAY = 5
_WEEKEND_STANDS_IN_S = 4 * DAY_S
"""Around the clock, Saturday is quoted like the Tuesday before, Sunday like the Wednesday."""


class Series(Protocol):
    """What the market knows of one symbol. Times are the broker's wall clock."""

    def minute_ticks(self, minute_s: int) -> Sequence[Tick]:
        """Return the ticks of the minute that begins at ``minute_s``, oldest first."""

    def minutes(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """Yield whole minutes that open in ``from_s <= time < to_s``."""

    def hours(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """Yield whole hours that open in ``from_s <= time < to_s``."""


class TileSeries:
    """A symbol quoted from a tile of bars.

    Args:
        tile: its minutes.
        digits: of its prices.
        seed: of the way that prices take inside a minute.
        around_the_clock: quoted at weekends too; else not from Saturday 00:00 to Monday 00:00.

    """

    def __init__(self, tile: Minutes, digits: int, seed: str, *, around_the_clock: bool) -> None:
        self._tile = tile
        self._digits = digits
        self._seed = seed
        self._around_the_clock = around_the_clock
        self._cache: OrderedDict[int, list[Tick]] = OrderedDict()

    def minute_ticks(self, minute_s: int) -> Sequence[Tick]:
        """See :class:`Series`."""
        known = self._cache.get(minute_s)
        if known is None:
            bar = self._minute(minute_s)
            known = [] if bar is None else ticks_of(bar, self._digits, f"{self._seed}/{minute_s}")
            self._cache[minute_s] = known
            if len(self._cache) > MAX_CACHED_MINUTES:
                self._cache.popitem(last=False)
        return known

    def minutes(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """See :class:`Series`."""
        for minute_s in range(-(-from_s // 60) * 60, to_s, 60):
            bar = self._minute(minute_s)
            if bar is not None:
                yield bar

    def hours(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """See :class:`Series`."""
        for day_s in range(from_s // DAY_S * DAY_S, to_s, DAY_S):
            moved_s = self._stands_in(day_s)
            if moved_s is not None:
                start, end = max(from_s, day_s), min(to_s, day_s + DAY_S)
                for bar in self._tile.hours(start - moved_s, end - moved_s):
                    yield moved(bar, moved_s)

    def _minute(self, minute_s: int) -> Bar | None:
        moved_s = self._stands_in(minute_s)
        if moved_s is None:
            return None
        bar = self._tile.minute(minute_s - moved_s)
        return None if bar is None else moved(bar, moved_s)

    def _stands_in(self, time_s: int) -> int | None:
        """How far back lies the day that is quoted; ``None`` for a day without quotes."""
        if (time_s // DAY_S + 3) % 7 < _SATURDAY:
            return 0
        return _WEEKEND_STANDS_IN_S if self._around_the_clock else None


class ReplaySeries:
    """Recorded ticks, repeated end to end from some moment on; before it, an older series.

    The older one is shifted in price so that the seam is smooth. The time from one repetition to
    the next is a whole number of minutes.

    Args:
        ticks: as recorded.
        begin_s: full minute, when the first repetition begins.
        point: the symbol's.
        digits: of its prices.
        older: what was before; ``None``: nothing.

    """

    def __init__(
        self, ticks: Sequence[Tick], begin_s: int, point: float, digits: int, older: Series | None
    ) -> None:
        origin_s = ticks[0].time_msc // MINUTE_MS * 60
        length_s = (ticks[-1].time_msc // MINUTE_MS + 1) * 60 - origin_s
        self.begin_s, self.length_s = begin_s, length_s
        self._digits = digits
        self._ticks: dict[int, list[Tick]] = {}
        for tick in ticks:
            offset = tick.time_msc // MINUTE_MS * 60 - origin_s
            self._ticks.setdefault(offset, []).append(tick)
        self._origin_s = origin_s
        self._bars = {
            offset: bar_of(minute, origin_s + offset, point)
            for offset, minute in self._ticks.items()
        }
        self._older = older
        self._shift = 0.0 if older is None else self._gap(older, ticks[0].bid)

    def minute_ticks(self, minute_s: int) -> Sequence[Tick]:
        """See :class:`Series`."""
        if minute_s < self.begin_s:
            older = () if self._older is None else self._older.minute_ticks(minute_s)
            return [self._shifted(tick) for tick in older]
        offset = (minute_s - self.begin_s) % self.length_s
        by_ms = (minute_s - self._origin_s - offset) * 1000
        return [_at(tick, tick.time_msc + by_ms) for tick in self._ticks.get(offset, ())]

    def minutes(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """See :class:`Series`."""
        if self._older is not None:
            for bar in self._older.minutes(from_s, min(to_s, self.begin_s)):
                yield moved(bar, 0, self._shift, self._digits)
        for minute_s in range(max(-(-from_s // 60) * 60, self.begin_s), to_s, 60):
            recorded = self._bars.get((minute_s - self.begin_s) % self.length_s)
            if recorded is not None:
                yield moved(recorded, minute_s - recorded.time)

    def hours(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """See :class:`Series`."""
        seam_s = opened_at(Timeframe.H1, self.begin_s)
        if self._older is not None:
            for bar in self._older.hours(from_s, min(to_s, seam_s)):
                yield moved(bar, 0, self._shift, self._digits)
        yield from merge(Timeframe.H1, self.minutes(max(from_s, seam_s), to_s))

    def _gap(self, older: Series, first: float) -> float:
        before = list(older.hours(self.begin_s - 7 * DAY_S, self.begin_s))
        return round(first - before[-1].close, self._digits) if before else 0.0

    def _shifted(self, tick: Tick) -> Tick:
        bid = round(tick.bid + self._shift, self._digits)
        ask = round(tick.ask + self._shift, self._digits)
        return Tick(tick.time_msc, bid, ask, flags=tick.flags)


def _at(tick: Tick, time_msc: int) -> Tick:
    return Tick(time_msc, tick.bid, tick.ask, tick.last, tick.volume, tick.flags, tick.volume_real)
