"""Ticks made from a bar, as MetaTrader's strategy tester models "every tick".

The price starts at the open, reaches one extreme, then the other, and ends at the close: a rising
bar dips first. Built back into a bar the ticks give exactly the bar that they were made from.
"""

from __future__ import annotations

import random

from ea_bridge.model import Bar, Tick, TickFlag

MINUTE_MS = 60_000
MAX_TICKS_PER_MINUTE = 240
"""Of bars with more ticks so many are made; the bar that is served has as many."""


def ticks_of(bar: Bar, digits: int, seed: str) -> list[Tick]:
    """Return ``bar.tick_volume`` ticks of a one-minute bar; the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - prices are no secrets
    scale = 10**digits
    path = _path([round(price * scale) for price in _waypoints(bar)], bar.tick_volume, dice)
    start = bar.time * 1000
    stamps = sorted(dice.randrange(MINUTE_MS) for _ in path)
    ticks: list[Tick] = []
    before: int | None = None
    for stamp, bid in zip(stamps, path, strict=True):
        flags = int(TickFlag.BID | TickFlag.ASK) if bid != before else 0
        ask = (bid + bar.spread) / scale
        ticks.append(Tick(start + stamp, bid / scale, ask, flags=flags))
        before = bid
    return ticks


def _waypoints(bar: Bar) -> list[float]:
    """The prices that must be met, in their order, without repetition in a row."""
    extremes = [bar.low, bar.high] if bar.close >= bar.open else [bar.high, bar.low]
    points: list[float] = [bar.open]
    for price in (*extremes, bar.close):
        if price != points[-1]:
            points.append(price)
    return points


def _path(points: list[int], count: int, dice: random.Random) -> list[int]:
    """Spread ``count`` prices over the way through ``points``, each of which is met."""
    count = max(count, len(points))
    if len(points) == 1:
        return points * count
    legs = len(points) - 1
    low, high = min(points), max(points)
    path: list[int] = []
    for leg in range(legs):
        steps = (count - 1) * (leg + 1) // legs - (count - 1) * leg // legs
        start, end = points[leg], points[leg + 1]
        for step in range(steps):
            straight = start + (end - start) * step // steps
            jitter = dice.randint(-1, 1) if step else 0
            path.append(min(high, max(low, straight + jitter)))
    return [*path, points[-1]]
