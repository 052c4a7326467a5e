"""Minute bars of each symbol: packaged, cut, drawn or computed.

Every tile is four weeks long. EURUSD and GBPUSD are real minutes; XAUUSD is real five-minute bars
cut into minutes, which add up to them again. For the others there is no real data: they are drawn
or computed, as their listings say.

Real bars are packaged in a third of the size of CSV, and unpacked in no time: a line of JSON
(``rows``, ``first`` minute, ``open`` in points, ``digits``, ``minutes`` a bar), then columns of
differences as little-endian 16-bit integers, all of it compressed: the minutes since the bar
before; open from the close before; high above and low below the body; close from open; ticks;
spread.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import NamedTuple

from ea_bridge.simulation.clock import DAY, MONDAY, hours_of
from ea_bridge.simulation.specs import Cross, RealBars, Same, SymbolListing, Walk

from .bars import MAX_TICKS_A_MINUTE, MinuteBar, MinuteTile

_COLUMNS = 7


class BarRow(NamedTuple):
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
    rows: list[BarRow]


def pack(rows: Sequence[BarRow], *, digits: int, minutes: int) -> bytes:
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
    # without a time in it: the same bars are the same file
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


def _rows(minute: int, close: int, columns: list[array[int]]) -> Iterator[BarRow]:
    for later, jump, above, below, body, volume, spread in zip(*columns, strict=True):
        minute += later
        opened = close + jump
        close = opened + body
        high, low = (close, opened) if body > 0 else (opened, close)
        yield BarRow(minute, opened, high + above, low - below, close, volume, spread)


def _little_endian(column: array[int]) -> array[int]:
    # the files are little-endian on every machine
    if sys.byteorder == "big":
        column.byteswap()
    return column


WEEKS = 4
_NOISE_PARTS = 4
_STEPS_SD = 26_755
"""Standard deviation of the sum of two evenly spread signed 16-bit numbers."""


class Tiles:
    """The tiles of all symbols, each made when it is first asked for.

    Args:
        listings: what is known of the symbols.
        seed: of what is drawn.
        weekends: quote Saturdays and Sundays too (:meth:`.bars.MinuteTile.fill_weekends`).

    """

    def __init__(
        self, listings: Mapping[str, SymbolListing], seed: int, *, weekends: bool
    ) -> None:
        self._listings = listings
        self._seed = seed
        self._weekends = weekends
        self._made: dict[str, MinuteTile] = {}

    def __contains__(self, symbol: str) -> bool:
        """Whether there is a tile of a symbol, made or not."""
        return symbol in self._listings

    def tile(self, symbol: str) -> MinuteTile:
        """Return a symbol's tile."""
        if symbol not in self._made:
            tile = self._make(self._listings[symbol])
            if self._weekends:
                tile.fill_weekends()
            self._made[symbol] = tile
        return self._made[symbol]

    def _make(self, listing: SymbolListing) -> MinuteTile:
        prices = listing.prices
        if isinstance(prices, RealBars):
            return _real(prices.file, listing.info.spread, weekends=self._weekends)
        if isinstance(prices, Walk):
            return _walk(listing, prices, f"{self._seed}/{listing.info.name}")
        if isinstance(prices, Cross):
            left, right = self.tile(prices.left), self.tile(prices.right)
            return _cross(listing, left, right, divide=prices.op == "/")
        assert isinstance(prices, Same)
        return self.tile(prices.symbol)


def packaged_bars(file: str) -> Packed:
    """Return the real bars of a packaged file."""
    data = files("ea_bridge.simulation") / "data" / "bars" / f"{file}.gz"
    return unpack(data.read_bytes())


@lru_cache(maxsize=8)
def _real(file: str, spread: int, *, weekends: bool) -> MinuteTile:
    """Return real bars; the specification's spread stands where the source tells of none.

    A recorded bar has the least spread of its minute, which at brokers of raw spreads is 0 most
    of the time: no quote to try a bot with. Nothing is drawn here: markets of all seeds share it.
    """
    packed = packaged_bars(file)
    tile = MinuteTile(WEEKS, packed.digits)
    for row in packed.rows:
        slot = (row.minute - MONDAY) % tile.size  # its own dates come out at their own prices
        # five minutes of a bar become five slots that add up to it
        for n, bar in enumerate(cut(row, packed.minutes)):
            tile.put(slot + n, bar._replace(spread=bar.spread or spread))
    if weekends:
        tile.fill_weekends()
    return tile


def cut(row: BarRow, minutes: int) -> list[MinuteBar]:
    """Cut a bar into minutes that add up to it, along open, extremes, close."""
    if minutes == 1:
        return [MinuteBar(*row[1:])]
    rising = row.close >= row.open
    turns = (row.low, row.high) if rising else (row.high, row.low)
    way = [row.open, *turns, row.close]
    marks = [_on_the_way(way, n, minutes) for n in range(minutes)] + [row.close]
    extremes = {minutes // 3: turns[0], 2 * minutes // 3: turns[1]}
    volumes = [row.volume * n // minutes for n in range(minutes + 1)]
    bars = []
    for n, (begin, end) in enumerate(pairwise(marks)):
        prices = [begin, end, *([extremes[n]] if n in extremes else [])]
        volume = volumes[n + 1] - volumes[n]
        bars.append(MinuteBar(begin, max(prices), min(prices), end, volume, row.spread))
    return bars


def _on_the_way(way: list[int], n: int, of: int) -> int:
    leg, part = divmod(n * (len(way) - 1), of)
    return way[leg] + (way[leg + 1] - way[leg]) * part // of


def _walk(listing: SymbolListing, walk: Walk, key: str) -> MinuteTile:
    """Draw a random walk that ends where it began, so that the tile repeats without a jump."""
    info = listing.info
    tile = MinuteTile(WEEKS, info.digits)
    hours = hours_of(listing.hours)
    slots = [slot for slot in range(tile.size) if hours.is_open_minute(MONDAY + slot)]
    start = round(info.bid * 10**info.digits)
    deviation = start * walk.daily_volatility / DAY**0.5
    noise = _signed_noise(key, _NOISE_PARTS * (len(slots) + 1))
    reached = list(accumulate((a + b for a, b in pairwise(noise[: len(slots) + 1])), initial=0))
    drift = reached[-1] / len(slots)
    unit = deviation / _STEPS_SD
    marks = [start + round((r - drift * n) * unit) for n, r in enumerate(reached)]
    rest = noise[len(slots) + 1 :]
    for n, slot in enumerate(slots):
        above, below, busy = rest[3 * n : 3 * n + 3]
        body = marks[n], marks[n + 1]
        high = max(body) + round(abs(above) * unit / 2)
        low = min(body) - round(abs(below) * unit / 2)
        volume = walk.ticks_a_minute * (65_536 + busy) // 65_536
        tile.put(slot, MinuteBar(marks[n], high, low, marks[n + 1], volume, info.spread))
    return tile


def _cross(
    listing: SymbolListing, left: MinuteTile, right: MinuteTile, *, divide: bool
) -> MinuteTile:
    """Compute a price from two others, minute by minute.

    High and low are those of opens, highs, lows and closes at the same moments: the true
    extremes of a product cannot be known from bars.
    """
    digits = listing.info.digits
    tile = MinuteTile(WEEKS, digits)
    power = digits - left.digits + (right.digits if divide else -right.digits)
    factor = 10.0**power
    for slot in range(tile.size):
        first, second = left.minute(slot), right.minute(slot)
        if first is None or second is None:
            continue
        if divide:
            prices = [round(a / b * factor) for a, b in zip(first[:4], second[:4], strict=True)]
        else:
            prices = [round(a * b * factor) for a, b in zip(first[:4], second[:4], strict=True)]
        # each tick of either symbol moves the cross
        volume = min(first.volume + second.volume, MAX_TICKS_A_MINUTE)
        bar = (prices[0], max(prices), min(prices), prices[3], volume, listing.info.spread)
        tile.put(slot, MinuteBar(*bar))
    return tile


def _signed_noise(key: str, count: int) -> tuple[int, ...]:
    digest = hashlib.shake_128(key.encode()).digest(2 * count)
    return struct.unpack(f"<{count}h", digest)
