"""How the real bars are packaged: a third of the size of CSV, and unpacked in no time.

A line of JSON (``rows``, ``first`` minute, ``open`` in points, ``digits``, ``minutes`` a bar),
then columns of differences as little-endian 16-bit integers, all of it compressed: the minutes
since the bar before; open from the close before; high above and low below the body; close from
open; ticks; spread.
"""

from __future__ import annotations

import gzip
import json
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_COLUMNS = 7


class Row(NamedTuple):
    """One bar: opening time in minutes since 1970 (broker time), prices in points."""

    minute: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    spread: int


class Packed(NamedTuple):
    """Bars of one length, oldest first."""

    digits: int
    minutes: int
    """Length of a bar."""
    rows: list[Row]


def pack(rows: Sequence[Row], *, digits: int, minutes: int) -> bytes:
    """Return the packaged form of bars, oldest first.

    Raises:
        OverflowError: a difference does not fit 16 bits.

    """
    columns = [array("h") for _ in range(_COLUMNS)]
    minute, close = rows[0].minute, rows[0].open
    for row in rows:
        body_high, body_low = max(row.open, row.close), min(row.open, row.close)
        differences = (
            row.minute - minute,
            row.open - close,
            row.high - body_high,
            body_low - row.low,
            row.close - row.open,
            row.volume,
            row.spread,
        )
        for column, difference in zip(columns, differences, strict=True):
            column.append(difference)
        minute, close = row.minute, row.close
    head = {
        "rows": len(rows),
        "first": rows[0].minute,
        "open": rows[0].open,
        "digits": digits,
        "minutes": minutes,
    }
    body = b"".join(_little_endian(column).tobytes() for column in columns)
    return gzip.compress(json.dumps(head).encode("ascii") + b"\n" + body, 9, mtime=0)


def unpack(data: bytes) -> Packed:
    """Return the bars of a packaged file."""
    line, _, body = gzip.decompress(data).partition(b"\n")
    head = json.loads(line)
    size = 2 * head["rows"]
    columns = []
    for start in range(0, _COLUMNS * size, size):
        column = array("h")
        column.frombytes(body[start : start + size])
        columns.append(_little_endian(column))
    rows = list(_rows(head["first"], head["open"], columns))
    return Packed(head["digits"], head["minutes"], rows)


def _rows(minute: int, close: int, columns: list[array[int]]) -> Iterator[Row]:
    for later, jump, above, below, body, volume, spread in zip(*columns, strict=True):
        minute += later
        opened = close + jump
        close = opened + body
        high, low = (close, opened) if body > 0 else (opened, close)
        yield Row(minute, opened, high + above, low - below, close, volume, spread)


def _little_endian(column: array[int]) -> array[int]:
    if sys.byteorder == "big":
        column.byteswap()
    return column
