"""Sources of a symbol's ticks: pure functions of time.

A source knows all of time: any minute can be asked for, in any order, and answers the same. So
nothing need be kept, and history agrees with what was delivered live. Minutes count from 1970 in
broker time.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import Protocol

import msgspec

from ea_bridge.model import Tick, TickFlag
from ea_bridge.simulation.clock import DAY, MONDAY, WEEK, Hours

from .bars import MinuteBar, MinuteTile, PriceSpan, join, turning_points
from .tape import RecordedTick, Tape, tile_of

_MINUTE_MS = 60_000
_BOTH = int(TickFlag.BID | TickFlag.ASK)


class TickSource(Protocol):
    """All ticks of one symbol, past and future."""

    def ticks(self, minute: int) -> Sequence[Tick]:
        """Return the ticks of a minute, oldest first."""
        ...

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """Return what the ticks of some minutes amount to, without making them."""
        ...


class ModelledSource:
    """Ticks made from the minutes of a tile, which repeats for ever in both directions.

    Args:
        make_tile: gives the tile when it is first needed.
        key: of the noise between the turning points: seed and symbol.
        meeting: a minute and a price in points: all prices are shifted by a constant, so that the
            last one before that minute is this.

    """

    def __init__(
        self,
        make_tile: Callable[[], MinuteTile],
        key: str,
        *,
        meeting: tuple[int, int] | None = None,
    ) -> None:
        self._make_tile = make_tile
        self._key = key
        self._meeting = meeting

    @cached_property
    def _tile(self) -> MinuteTile:
        return self._make_tile()

    @cached_property
    def _shift(self) -> int:
        if self._meeting is None:
            return 0
        minute, price = self._meeting
        # a whole week back: right before a Monday lie two days without a price
        before = _tiled_span(self._tile, minute - WEEK, WEEK)
        return 0 if before is None else price - before.close

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`TickSource`."""
        tile = self._tile
        bar = tile.minute((minute - MONDAY) % tile.size)
        if bar is None:
            return ()
        if self._shift:
            shift = self._shift
            bar = bar._replace(
                open=bar.open + shift,
                high=bar.high + shift,
                low=bar.low + shift,
                close=bar.close + shift,
            )
        return ticks_of(bar, minute, 10**tile.digits, self._key)

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """See :class:`TickSource`."""
        span = _tiled_span(self._tile, minute, minutes)
        return span.shifted(self._shift) if span is not None and self._shift else span


class RepeatedTape:
    """Recorded ticks, repeated for ever.

    A tape shorter than a day runs end to end from every Monday 00:00 on: there are ticks at any
    hour. A longer one keeps its weekdays and hours: it repeats in whole weeks. Times outside
    ``hours`` are quiet.
    """

    def __init__(self, tape: Tape, hours: Hours) -> None:
        self._tape = tape
        self._hours = hours
        self._weeks = 1
        self._offset = 0
        if tape.minutes >= DAY:
            self._offset = (tape.first_minute - MONDAY) % WEEK
            # rounded up to whole weeks
            self._weeks = -(-(self._offset + tape.minutes) // WEEK)

    @cached_property
    def _tile(self) -> MinuteTile:
        size = self._weeks * WEEK
        slots = [
            (slot, found) for slot in range(size) if (found := self._recorded(slot)) is not None
        ]
        return tile_of(self._tape, self._weeks, slots)

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`TickSource`."""
        recorded = self._recorded((minute - MONDAY) % (self._weeks * WEEK))
        return () if recorded is None else _moved(self._tape, recorded, minute)

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """See :class:`TickSource`."""
        return _tiled_span(self._tile, minute, minutes)

    def _recorded(self, slot: int) -> int | None:
        """Return the minute of the tape that a slot shows."""
        if not self._hours.is_open_minute(MONDAY + slot):
            return None
        tape = self._tape
        if tape.minutes < DAY:
            return tape.first_minute + slot % tape.minutes
        minute = tape.first_minute + slot - self._offset
        return minute if tape.first_minute <= minute <= tape.last_minute else None


class PlayedOnce:
    """Recorded ticks at one place in time, moved there by whole weeks; nothing before or after."""

    def __init__(self, tape: Tape, moved_weeks: int) -> None:
        self._tape = tape
        self._moved = moved_weeks * WEEK
        self._busy = [minute + self._moved for minute in tape.busy_minutes()]
        # played from one end to the other, a few ticks at a time: no minute is parsed twice
        self._minute = lru_cache(maxsize=2)(self._parsed)

    @property
    def first_msc(self) -> int:
        """Stamp of the first tick."""
        return self._tape.first.time_msc + self._moved * 60_000

    @property
    def first_minute(self) -> int:
        """The minute that it is in."""
        return self._busy[0]

    def next_minute(self, minute: int) -> int | None:
        """Return the first minute with ticks at or after ``minute``."""
        at = bisect_left(self._busy, minute)
        return self._busy[at] if at < len(self._busy) else None

    def stamps_after(self, after_msc: int, count: int) -> list[int]:
        """Return the stamps of the next ticks, at most ``count`` of them."""
        stamps: list[int] = []
        minute = self.next_minute(after_msc // 60_000)
        while minute is not None and len(stamps) < count:
            ticks = self.ticks(minute)
            begin = bisect_right(ticks, after_msc, key=_stamp)
            stamps += [tick.time_msc for tick in ticks[begin : begin + count - len(stamps)]]
            minute = self.next_minute(minute + 1)
        return stamps

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`TickSource`."""
        return self._minute(minute)

    def _parsed(self, minute: int) -> Sequence[Tick]:
        return _moved(self._tape, minute - self._moved, minute)

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """See :class:`TickSource`."""
        begin = bisect_left(self._busy, minute)
        end = bisect_left(self._busy, minute + minutes)
        return join(self._tape.span(busy - self._moved) for busy in self._busy[begin:end])


class Spliced:
    """One source up to a minute, another from it on."""

    def __init__(self, past: TickSource, present: TickSource, seam: int) -> None:
        self._past = past
        self._present = present
        self._seam = seam

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`TickSource`."""
        return (self._past if minute < self._seam else self._present).ticks(minute)

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """See :class:`TickSource`."""
        end = minute + minutes
        if end <= self._seam:
            return self._past.span(minute, minutes)
        if minute >= self._seam:
            return self._present.span(minute, minutes)
        past = self._past.span(minute, self._seam - minute)
        return join((past, self._present.span(self._seam, end - self._seam)))


class WithoutMinutes:
    """A source in which nothing happens in some minutes, which no clock ever shows.

    Args:
        source: has ticks in them.
        left_out: the minutes, oldest first.

    """

    def __init__(self, source: TickSource, left_out: Sequence[range]) -> None:
        self._source = source
        self._left_out = left_out
        self._ends = [span.stop for span in left_out]

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`TickSource`."""
        gap = self._gap(minute)
        return () if gap is not None and minute in gap else self._source.ticks(minute)

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """See :class:`TickSource`."""
        end, gap = minute + minutes, self._gap(minute)
        # nearly always: the hour that a clock leaps over comes once a year
        if gap is None or end <= gap.start:
            return self._source.span(minute, minutes)
        parts = []
        if minute < gap.start:
            parts.append(self._source.span(minute, gap.start - minute))
        if gap.stop < end:
            parts.append(self.span(gap.stop, end - gap.stop))
        return join(parts)

    def _gap(self, minute: int) -> range | None:
        """Return the first gap that is not over at a minute."""
        at = bisect_right(self._ends, minute)
        return self._left_out[at] if at < len(self._left_out) else None


def _tiled_span(tile: MinuteTile, minute: int, minutes: int) -> PriceSpan | None:
    slot = (minute - MONDAY) % tile.size
    if slot + minutes <= tile.size:
        return tile.span(slot, minutes)
    parts = []
    while minutes > 0:
        taken = min(minutes, tile.size - slot)
        parts.append(tile.span(slot, taken))
        slot, minutes = 0, minutes - taken
    return join(parts)


def _stamp(tick: Tick) -> int:
    return tick.time_msc


def _moved(tape: Tape, recorded: int, minute: int) -> list[Tick]:
    shift_msc = (minute - recorded) * 60_000
    scale = 10**tape.digits
    return [_tick(row, shift_msc, scale) for row in tape.read(recorded)]


def _tick(row: RecordedTick, shift_msc: int, scale: int) -> Tick:
    return Tick(row.time_msc + shift_msc, row.bid / scale, row.ask / scale, flags=row.flags)


_NOISE = 1 << 16
_NOISE_SHARE = 6
"""Noise around the straight way is at most a sixth of the bar's range to either side."""


# --- ticks made from bars --------------------------------------------------------------------


def ticks_of(bar: MinuteBar, minute: int, scale: int, key: str) -> list[Tick]:
    """Return the ticks of a minute, oldest first, as the strategy tester's "every tick" makes
    them.

    The bids start at the open, visit the extremes and end at the close; there are as many as the
    bar's tick volume; the spread is the bar's. So bars built from the ticks are the bars again.
    Stamps are spread evenly at random: some ticks of a busy minute share one millisecond.

    Args:
        bar: the minute, in points.
        minute: when it is, since 1970.
        scale: points a unit of price.
        key: makes the noise; the same key makes the same ticks.

    """
    noise = _noise(f"{key}/{minute}", 2 * bar.volume)
    start = minute * _MINUTE_MS
    # sorted: times never fall in a tick history
    stamps = sorted(start + n * _MINUTE_MS // _NOISE for n in noise[: bar.volume])
    ticks, before = [], 0
    for stamp, bid in zip(stamps, _bids(bar, noise[bar.volume :]), strict=True):
        flags = _BOTH if bid != before else 0  # a constant spread: both change or none
        ticks.append(Tick(stamp, bid / scale, (bid + bar.spread) / scale, flags=flags))
        before = bid
    return ticks


def _bids(bar: MinuteBar, noise: tuple[int, ...]) -> list[int]:
    turns = turning_points(bar)
    if len(turns) == 1:
        return turns
    legs = list(pairwise(turns))
    reach = bar.high - bar.low
    bids: list[int] = []
    for (begin, end), free in zip(legs, _shares(legs, bar.volume - len(turns)), strict=True):
        bids.append(begin)
        for step in range(1, free + 1):
            straight = begin + (end - begin) * step // (free + 1)
            wobble = (noise[len(bids)] - _NOISE // 2) * reach // (_NOISE // 2 * _NOISE_SHARE)
            bids.append(min(max(straight + wobble, bar.low), bar.high))
    return [*bids, bar.close]


def _shares(legs: list[tuple[int, int]], free: int) -> list[int]:
    """Divide ticks among the legs by their lengths."""
    reached = list(accumulate((abs(end - begin) + 1 for begin, end in legs), initial=0))
    marks = [free * length // reached[-1] for length in reached]
    return [later - earlier for earlier, later in pairwise(marks)]


def _noise(key: str, count: int) -> tuple[int, ...]:
    """Return numbers of 16 bits: the same on every machine and Python, unlike ``random``'s."""
    digest = hashlib.shake_128(key.encode()).digest(2 * count)
    return struct.unpack(f"<{count}H", digest)


# --- quirks of some brokers, for tests of what must survive them -----------------------------


class CoarseStamps:
    """Source whose stamps fall back to whole steps of ``grain_ms``, so that many ticks share one.

    Raises:
        ValueError: a minute is no whole number of steps.

    """

    def __init__(self, source: TickSource, grain_ms: int) -> None:
        if not 0 < grain_ms <= _MINUTE_MS or _MINUTE_MS % grain_ms:
            raise ValueError(f"{grain_ms} ms don't divide a minute")
        self._source = source
        self._grain_ms = grain_ms

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`.sources.TickSource`."""
        grain = self._grain_ms
        return [
            msgspec.structs.replace(tick, time_msc=tick.time_msc - tick.time_msc % grain)
            for tick in self._source.ticks(minute)
        ]

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """See :class:`.sources.TickSource`."""
        return self._source.span(minute, minutes)


class ZeroQuote:
    """Source with one more tick at ``at_msc`` with bid and ask of 0, before others of that stamp.

    Some brokers send such a one first after a subscription. It is part of no bar.
    """

    def __init__(self, source: TickSource, at_msc: int) -> None:
        self._source = source
        self._tick = Tick(at_msc, 0.0, 0.0)

    def ticks(self, minute: int) -> Sequence[Tick]:
        """See :class:`.sources.TickSource`."""
        ticks = self._source.ticks(minute)
        at_msc = self._tick.time_msc
        if at_msc // _MINUTE_MS != minute:
            return ticks
        earlier = [tick for tick in ticks if tick.time_msc < at_msc]
        return [*earlier, self._tick, *ticks[len(earlier) :]]

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """See :class:`.sources.TickSource`."""
        return self._source.span(minute, minutes)
