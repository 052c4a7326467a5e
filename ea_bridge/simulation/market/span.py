"""What happened to a price in some time, in points: the arithmetic of bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ea_bridge.model import Bar, Tick


class Span(NamedTuple):
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

    def shifted(self, points: int) -> Span:
        """Return the span at prices that differ by a constant."""
        return Span(
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


def join(spans: Iterable[Span | None]) -> Span | None:
    """Join stretches that follow each other; those without a tick are ``None``."""
    joined: Span | None = None
    for span in spans:
        if span is None:
            continue
        joined = span if joined is None else _join_two(joined, span)
    return joined


def span_of(ticks: Iterable[Tick], scale: int) -> Span | None:
    """Return the span of ticks; those without prices (bid 0) don't count."""
    return join(_single(tick, scale) for tick in ticks if tick.bid > 0)


def _single(tick: Tick, scale: int) -> Span:
    bid, ask = round(tick.bid * scale), round(tick.ask * scale)
    return Span(bid, bid, bid, bid, 1, ask - bid, ask, ask)


def _join_two(first: Span, second: Span) -> Span:
    return Span(
        first.open,
        max(first.high, second.high),
        min(first.low, second.low),
        second.close,
        first.volume + second.volume,
        min(first.spread, second.spread),
        max(first.ask_high, second.ask_high),
        min(first.ask_low, second.ask_low),
    )
