"""The order book, made from a quote: the same quote always has the same book."""

from __future__ import annotations

import hashlib

from ea_bridge.model import BookEntry, BookType, SymbolInfo, Tick

_LOTS_A_LEVEL = 20


def book_of(spec: SymbolInfo, tick: Tick, seed: int) -> list[BookEntry]:
    """Return ``ticks_bookdepth`` levels of each side: asks from the best up, bids from it down.

    Nobody's orders stand behind it: levels are one to three points apart, volumes are whole
    multiples of the volume step up to 20 lots, more on levels further away.
    """
    depth = spec.ticks_bookdepth or 0
    if not depth or tick.bid <= 0:
        return []
    noise = hashlib.shake_128(f"{seed}/{spec.name}/{tick.time_msc}".encode()).digest(4 * depth)
    asks = _side(spec, BookType.SELL, tick.ask, 1, noise[: 2 * depth])
    bids = _side(spec, BookType.BUY, tick.bid, -1, noise[2 * depth :])
    return asks + bids


def _side(
    spec: SymbolInfo, kind: BookType, best: float, direction: int, noise: bytes
) -> list[BookEntry]:
    scale = 10**spec.digits
    points = round(best * scale)
    entries = []
    depth = len(noise) // 2
    for level, (gap, lots) in enumerate(zip(noise[::2], noise[1::2], strict=True)):
        if level:
            points += direction * (1 + gap % 3)
        share = (1 + lots) / 256 * (1 + level) / depth
        steps = max(1, round(_LOTS_A_LEVEL * share / spec.volume_step))
        entries.append(BookEntry(int(kind), points / scale, round(steps * spec.volume_step, 8)))
    return entries
