"""A recording made endless: played forth and upside down in turn, without a jump or a pause.

A recording that merely begins anew jumps from its last price to its first, and stands still where
nobody quoted. So its pauses are shortened, and every second time its prices are mirrored: they
begin where it ended and end where it began. All prices are recorded ones or their mirror image,
in their order and with their spreads; nothing is made up in between.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from ea_bridge.model import TickFlag

from .hours import WEEK
from .tape import HEADER, Row, Tape, packaged_tape

LONGEST_PAUSE_MS = 1500
"""Longer ones are shortened to this, and then stretched a little to whole minutes."""
_MINUTE_MS = 60_000


@lru_cache(maxsize=8)
def endless_tape(name: str, digits: int) -> Tape:
    """Return packaged ticks that can be played end to end, from each Monday on."""
    recorded = packaged_tape(name, digits)
    rows = [row for minute in recorded.busy_minutes() for row in recorded.read(minute)]
    first_msc = recorded.first_minute * _MINUTE_MS
    lines = [HEADER, *(_line(row, digits) for row in forth_and_mirrored(rows, first_msc))]
    data = b"\n".join(lines) + b"\n"
    return Tape(f"{name}.csv, endless", lambda: io.BytesIO(data), digits)


def forth_and_mirrored(rows: Sequence[Row], first_msc: int) -> Iterator[Row]:
    """Yield ticks and then their mirror image, in a time that a week is a multiple of.

    Args:
        rows: recorded ticks.
        first_msc: when the first of them comes, on a full minute.

    """
    pauses = [min(b.time_msc - a.time_msc, LONGEST_PAUSE_MS) for a, b in pairwise(rows)]
    # the last tick stands for a moment too, before the mirror's first
    reached = [0, *accumulate((*pauses, LONGEST_PAUSE_MS))]
    half_ms = _half_ms(reached[-1])
    mirror = rows[-1].bid + rows[0].ask
    before: Row | None = None
    for turn, at_msc in enumerate((first_msc, first_msc + half_ms)):
        for row, past in zip(rows, reached, strict=False):
            bid, ask = (row.bid, row.ask) if not turn else (mirror - row.ask, mirror - row.bid)
            made = Row(at_msc + past * half_ms // reached[-1], bid, ask, row.flags)
            yield made._replace(flags=_changed(before, made)) if turn else made
            before = made


def _half_ms(least_ms: int) -> int:
    """Return the least whole number of minutes of which a week is an even multiple."""
    minutes = -(-least_ms // _MINUTE_MS)
    while WEEK % (2 * minutes):
        minutes += 1
    return minutes * _MINUTE_MS


def _changed(before: Row | None, row: Row) -> int:
    if before is None:
        return int(TickFlag.BID | TickFlag.ASK)
    bid = TickFlag.BID if row.bid != before.bid else 0
    return int(bid | (TickFlag.ASK if row.ask != before.ask else 0))


def _line(row: Row, digits: int) -> bytes:
    bid, ask = (f"{price / 10**digits:.{digits}f}" for price in (row.bid, row.ask))
    return f"{row.time_msc},{bid},{ask},{row.flags}".encode("ascii")
