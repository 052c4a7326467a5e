"""Ticks made from a one-minute bar, as the strategy tester's "every tick" mode makes them.

The bids start at the open, visit the extremes and end at the close; there are as many as the
bar's tick volume; the spread is the bar's. So bars built from the ticks are the bars again.
"""

from __future__ import annotations

import hashlib
import struct
from itertools import accumulate, pairwise

from ea_bridge.model import Tick, TickFlag

from .tile import MinuteBar, turning_points

_MINUTE_MS = 60_000
_NOISE = 1 << 16
_NOISE_SHARE = 6
"""Noise around the straight way is at most a sixth of the bar's range to either side."""
_BOTH = int(TickFlag.BID | TickFlag.ASK)


def ticks_of(bar: MinuteBar, minute: int, scale: int, key: str) -> list[Tick]:
    """Return the ticks of a minute, oldest first.

    Stamps are spread evenly at random: some ticks of a busy minute share one millisecond.

    Args:
        bar: the minute, in points.
        minute: when it is, since 1970.
        scale: points a unit of price.
        key: makes the noise; the same key makes the same ticks.

    """
    noise = _noise(f"{key}/{minute}", 2 * bar.volume)
    start = minute * _MINUTE_MS
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
