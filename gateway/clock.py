"""The broker's wall clock, and how it becomes UTC.

MetaTrader types the broker's wall clock as if it were UTC and does not tell the time zone.
:class:`BrokerClock` learns the offset from heartbeats: each carries ``tcur`` (``TimeCurrent``, the
stamp of the newest quote, broker time) and ``tgmt`` (``TimeGMT``, the PC's idea of UTC). While
quotes arrive, their difference is the offset, give or take the age of the quote; without quotes
``tcur`` stands still (a Sunday shows Friday evening) and says nothing.

Past dates need the offset of that date. Most brokers let their day end with New York's, which is
UTC+2 in America's winter and UTC+3 in its summer; some follow Eastern European Time, whose summer
begins and ends on other days. A rule that a measurement contradicts is given up.

Sans-I/O: time is an argument.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

GRID_S = 900
"""Time zones lie on quarters of an hour."""
MAX_RESIDUE_S = 120
"""A measurement further than this from the grid is a wrong PC clock, or an old quote."""
MAX_OFFSET_S = 14 * 3600
MAX_GAP_S = 5
"""Heartbeats further apart than this don't show that a quote in between is fresh."""
AGREEING = 3
"""Equal measurements in a row that make an offset."""
MANY = 10
"""As many make it certain."""

Rule = Literal["new_york+7h", "eet", "constant"]
Source = Literal["ticks", "assumed"]
Confidence = Literal["high", "low", "none"]

_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_ALWAYS = 2**62


@dataclass(frozen=True, slots=True)
class OffsetEstimate:
    """What a :class:`BrokerClock` knows."""

    offset_s: int
    rule: Rule
    source: Source
    confidence: Confidence
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class _Span:
    """A time with one offset; ends are exclusive. Milliseconds."""

    utc_start: int
    utc_end: int
    broker_start: int
    broker_end: int
    offset: int


class BrokerClock:
    """Tells broker time from UTC and back, for any date.

    Until measured it assumes the commonest rule, and says so in :attr:`estimate`. Feed it every
    heartbeat with :meth:`observe`.
    """

    def __init__(self) -> None:
        self._rules: list[Rule] = ["new_york+7h", "eet"]
        self._measured_s: int | None = None
        self._since_s = 0
        self._candidate_s = 0
        self._agreeing = 0
        self._confirmed = 0
        self._last: tuple[int, int] | None = None
        self._now_s = 0
        self._ahead_ms = 0
        self._use("new_york+7h", _rule_spans("new_york+7h"))

    # --- learning --------------------------------------------------------------------------

    def observe(self, tcur: int, tgmt: int) -> bool:
        """Learn from a heartbeat (seconds); return whether the offset or its rule changed.

        Counts only while quotes arrive: ``tcur`` has moved since the heartbeat just before.
        """
        last, self._last = self._last, (tcur, tgmt)
        if tcur <= 0 or tgmt <= 0:
            return False
        self._now_s = tgmt
        if last is None or tcur <= last[0] or not 0 <= tgmt - last[1] <= MAX_GAP_S:
            return False
        offset = round((tcur - tgmt) / GRID_S) * GRID_S
        if abs(tcur - tgmt - offset) > MAX_RESIDUE_S or abs(offset) > MAX_OFFSET_S:
            return False
        return self._count(offset, tgmt)

    def compare(self, tgmt: int, utc_ms: int) -> None:
        """Learn how far the terminal's idea of UTC (seconds) is from the daemon's.

        They are one machine's, so that it is nothing; but ``TimeGMT`` follows the PC's time zone,
        and an emulated terminal may live in another year.
        """
        ahead_ms = tgmt * 1000 - utc_ms
        self._ahead_ms = ahead_ms if abs(ahead_ms) > MAX_GAP_S * 1000 else 0

    def _count(self, offset: int, tgmt: int) -> bool:
        self._agreeing = self._agreeing + 1 if offset == self._candidate_s else 1
        self._candidate_s = offset
        if self._agreeing < AGREEING:
            return False
        if offset == self._measured_s and offset == self.offset_at(tgmt * 1000) // 1000:
            self._confirmed += 1
            return False
        before = (self._measured_s, self._rule)
        self._adopt(offset, tgmt)
        return (self._measured_s, self._rule) != before

    def _adopt(self, offset: int, tgmt: int) -> None:
        self._measured_s, self._since_s, self._confirmed = offset, tgmt, AGREEING
        fitting = [r for r in self._rules if _offset_at(_rule_spans(r), tgmt) == offset]
        self._rules = fitting
        if fitting:
            self._use(fitting[0], _rule_spans(fitting[0]))
        else:
            self._use("constant", (_endless(offset),))

    def _use(self, rule: Rule, spans: tuple[_Span, ...]) -> None:
        self._rule: Rule = rule
        self._spans = spans
        self._utc_starts = [span.utc_start for span in spans]
        self._broker_starts = [span.broker_start for span in spans]
        self._span = spans[-1]

    # --- telling ---------------------------------------------------------------------------

    @property
    def estimate(self) -> OffsetEstimate:
        """What is known now, for people and for ``get_server_info``."""
        measured = self._measured_s
        confidence: Confidence = "high" if self._confirmed >= MANY else "low"
        return OffsetEstimate(
            offset_s=self.offset_s,
            rule=self._rule,
            source="assumed" if measured is None else "ticks",
            confidence="none" if measured is None else confidence,
            since_ms=None if measured is None else self._since_s * 1000,
        )

    @property
    def is_measured(self) -> bool:
        """Whether the offset was measured, and is not a guess."""
        return self._measured_s is not None

    @property
    def offset_s(self) -> int:
        """Broker time minus UTC, at the last heartbeat; before the first, in winter."""
        if self._now_s:
            return self.offset_at(self._now_s * 1000) // 1000
        return min(span.offset for span in self._spans[-2:]) // 1000

    def offset_at(self, utc_ms: int) -> int:
        """Return broker time minus UTC at a moment, in milliseconds."""
        span = self._span
        if not span.utc_start <= utc_ms < span.utc_end:
            span = self._spans[max(0, bisect_right(self._utc_starts, utc_ms) - 1)]
        return span.offset

    def broker_now_ms(self, utc_ms: int) -> int:
        """Return what the broker's clock shows when the daemon's shows that."""
        return self.to_broker_ms(utc_ms + self._ahead_ms)

    def to_utc_ms(self, broker_ms: int) -> int:
        """Turn broker milliseconds into UTC milliseconds.

        In the hour that a clock shows twice in autumn, the second time is meant (a Sunday
        morning without quotes, under each rule that we know).
        """
        span = self._span
        if not span.broker_start <= broker_ms < span.broker_end:
            span = self._spans[max(0, bisect_right(self._broker_starts, broker_ms) - 1)]
            self._span = span
        return broker_ms - span.offset

    def to_broker_ms(self, utc_ms: int) -> int:
        """Turn UTC milliseconds into broker milliseconds."""
        return utc_ms + self.offset_at(utc_ms)


_ZONES: dict[Rule, tuple[str, int]] = {
    "new_york+7h": ("America/New_York", 7 * 3600),
    "eet": ("Europe/Athens", 0),
}


@functools.cache
def _rule_spans(rule: Rule) -> tuple[_Span, ...]:
    name, ahead_s = _ZONES[rule]
    zone = ZoneInfo(name)
    starts = _changes(zone)
    offsets = [(_zone_offset(zone, start) + ahead_s) * 1000 for start in starts]
    spans = []
    for i, (start_s, offset) in enumerate(zip(starts, offsets, strict=True)):
        last = i + 1 == len(starts)
        utc_start = -_ALWAYS if i == 0 else start_s * 1000
        utc_end = _ALWAYS if last else starts[i + 1] * 1000
        broker_end = _ALWAYS if last else utc_end + offsets[i + 1]
        broker_start = -_ALWAYS if i == 0 else utc_start + offset
        spans.append(_Span(utc_start, utc_end, broker_start, broker_end, offset))
    return tuple(spans)


def _changes(zone: ZoneInfo) -> list[int]:
    """Return when the zone's offset changed, in seconds, after the start of the first year."""
    at = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    end = datetime(_LAST_YEAR, 1, 1, tzinfo=UTC)
    week = timedelta(days=7)
    found = [int(at.timestamp())]
    while at < end:
        low, high = int(at.timestamp()), int((at + week).timestamp())
        if _zone_offset(zone, low) != _zone_offset(zone, high):
            found.append(_change_between(zone, low, high))
        at += week
    return found


def _change_between(zone: ZoneInfo, low: int, high: int) -> int:
    before = _zone_offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _zone_offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _zone_offset(zone: ZoneInfo, utc_s: int) -> int:
    offset = datetime.fromtimestamp(utc_s, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _offset_at(spans: tuple[_Span, ...], utc_s: int) -> int:
    starts = [span.utc_start for span in spans]
    return spans[bisect_right(starts, utc_s * 1000) - 1].offset // 1000


def _endless(offset_s: int) -> _Span:
    return _Span(-_ALWAYS, _ALWAYS, -_ALWAYS, _ALWAYS, offset_s * 1000)
