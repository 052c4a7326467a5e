"""Timetable of a wall clock: transitions of its offset, and its stamps in between.

A :class:`Timetable` is made of the moments from which on an offset holds. Most brokers let their
day end with New York's, which is UTC+2 in America's winter and UTC+3 in its summer; some follow
Eastern European Time, whose summer begins and ends on other days.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

ALWAYS_MS = 2**62
"""Further than any date, in both directions."""
ZoneRule = Literal["new_york+7h", "eet"]

_YEARS = 1970, 2100
_STEP_S = 28 * 86_400
_GRAIN_S = 900
"""Clocks change at a quarter of an hour."""
_ZONES: dict[ZoneRule, tuple[str, int]] = {
    "new_york+7h": ("America/New_York", 7 * 3600),
    "eet": ("Europe/Athens", 0),
}


class OffsetTransition(NamedTuple):
    """From ``utc_ms`` on the clock is ``offset_ms`` ahead of UTC."""

    utc_ms: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class OffsetPeriod:
    """A time with one offset; ends are exclusive. Milliseconds."""

    utc_start: int
    utc_end: int
    broker_start: int
    broker_end: int
    offset: int


class Timetable:
    """Spans of time, each with its offset; every moment and every stamp is in one of them.

    Args:
        transitions: oldest first; the first one holds for all that was before, too.
        first: the transitions (by ``utc_ms``) whose doubled hour means its first time; that of
            every other one means its second. An hour that is left out is read by the clock before:
            the bar that opens in it begins when the clock is put on.

    """

    def __init__(
        self, transitions: tuple[OffsetTransition, ...], first: AbstractSet[int] = frozenset()
    ) -> None:
        self.transitions = transitions
        self.spans = _spans(transitions, frozenset(first))
        self._utc_starts = [span.utc_start for span in self.spans]
        self._broker_starts = [span.broker_start for span in self.spans]

    def index(self, utc_ms: int) -> int:
        """Return which span a moment is in."""
        return bisect_right(self._utc_starts, utc_ms) - 1

    def at(self, utc_ms: int) -> OffsetPeriod:
        """Return the span of a moment."""
        return self.spans[max(0, self.index(utc_ms))]

    def of_stamp(self, broker_ms: int) -> OffsetPeriod:
        """Return the span of a stamp."""
        return self.spans[max(0, bisect_right(self._broker_starts, broker_ms) - 1)]

    def doubled(self, index: int) -> range:
        """Return the stamps that a clock shows twice about the beginning of a span, if any."""
        if not 0 < index < len(self.transitions):
            return range(0)
        at_ms, offset_ms = self.transitions[index]
        return range(at_ms + offset_ms, at_ms + self.transitions[index - 1].offset_ms)

    def stamps(self, first_ms: int, last_ms: int) -> tuple[int, int]:
        """Return the first and the last stamp that mean a moment of a span, both included.

        The first is later than the last where the span has none: in an hour that the clock shows
        twice and that means its other time.
        """
        span = self.at(first_ms)
        first = min(max(first_ms + span.offset, span.broker_start), span.broker_end)
        if first_ms == span.utc_start:  # stamps that were left out mean no earlier moment
            first = min(first, first_ms + self.at(first_ms - 1).offset)
        span = self.at(last_ms)
        last = min(max(last_ms + span.offset, span.broker_start - 1), span.broker_end - 1)
        return first, last


@functools.lru_cache(maxsize=32)
def _spans(
    transitions: tuple[OffsetTransition, ...], first: frozenset[int]
) -> tuple[OffsetPeriod, ...]:
    starts = [-ALWAYS_MS, *(transition.utc_ms for transition in transitions[1:]), ALWAYS_MS]
    edges = [-ALWAYS_MS]
    for before, transition in pairwise(transitions):
        is_first = transition.utc_ms in first
        offsets = (before.offset_ms, transition.offset_ms)
        edges.append(transition.utc_ms + (max(offsets) if is_first else transition.offset_ms))
    edges.append(ALWAYS_MS)
    return tuple(
        OffsetPeriod(starts[i], starts[i + 1], edges[i], edges[i + 1], transition.offset_ms)
        for i, transition in enumerate(transitions)
    )


@functools.cache
def transitions_of(rule: ZoneRule) -> tuple[OffsetTransition, ...]:
    """Return the transitions of a zone, from 1970 to 2100."""
    name, ahead_s = _ZONES[rule]
    zone = ZoneInfo(name)
    return tuple(
        OffsetTransition(at_s * 1000, (_zone_offset(zone, at_s) + ahead_s) * 1000)
        for at_s in _changes(zone)
    )


def _changes(zone: ZoneInfo) -> list[int]:
    """Return when the zone's offset changed, in seconds, after the start of the first year.

    It is looked at every four weeks: no clock of a broker was put on and back in so short a time.
    The event loop stands still meanwhile, so each look counts.
    """
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in _YEARS)
    found = [first]
    before = _zone_offset(zone, first)
    for low in range(first, last, _STEP_S):
        after = _zone_offset(zone, low + _STEP_S)
        if after != before:
            found.append(_change_between(zone, low, low + _STEP_S))
            before = after
    return found


def _change_between(zone: ZoneInfo, low: int, high: int) -> int:
    before = _zone_offset(zone, low)
    while high - low > _GRAIN_S:
        middle = low + (high - low) // _GRAIN_S // 2 * _GRAIN_S
        if _zone_offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _zone_offset(zone: ZoneInfo, utc_s: int) -> int:
    offset = datetime.fromtimestamp(utc_s, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
