"""Moments, symbols and sources that the tests of the market share."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from ea_bridge.model import Tick
from ea_bridge.simulation.market import Market
from ea_bridge.simulation.market.bars import MinuteBar, least_volume

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WEDNESDAY = 1_795_003_200_000
"""2026-11-18 12:00, broker time."""
SATURDAY = WEDNESDAY + 3 * DAY
NOW = WEDNESDAY + 34 * MINUTE + 56_789
"""In the middle of a bar of every length."""


def advance_to(market: Market, now_msc: int) -> list[tuple[str, Tick]]:
    """Move on, however many calls it takes."""
    told = market.advance(now_msc)
    while market.behind:
        told += market.advance(now_msc)
    return told


def play(market: Market) -> Iterator[tuple[str, Tick]]:
    """Play the tapes to their end."""
    while market.behind:
        yield from market.advance()


@st.composite
def minute_bars(draw: st.DrawFn) -> MinuteBar:
    """Bars whose ticks are at least as many as their prices need."""
    points = st.integers(1, 300)
    opened, closed = draw(points), draw(points)
    high = max(opened, closed) + draw(st.integers(0, 40))
    low = min(opened, closed) - draw(st.integers(0, 40))
    base = 100_000
    bar = MinuteBar(base + opened, base + high, base + low, base + closed, 1, draw(points))
    return bar._replace(volume=draw(st.integers(least_volume(bar), 400)))
