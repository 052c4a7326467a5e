"""One-minute bars that repeat: real ones over whole weeks, or drawn ones.

Repeating by whole weeks keeps weekdays and hours: what was a Monday morning stays one.
"""

from __future__ import annotations

import csv
import gzip
import math
import random
from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from typing import Protocol

from ea_bridge.model import Bar, SymbolInfo, Timeframe

from .frames import WEEK_S, merge, moved
from .modelled import MAX_TICKS_PER_MINUTE

_DRAWN_WEEKS = 4
_DRAWN_MINUTES = _DRAWN_WEEKS * WEEK_S // 60
_TILE_START_S = 1_762_041_600
"""Sunday, the second of November 2025."""


class Minutes(Protocol):
    """One-minute bars for all time."""

    def minute(self, time_s: int) -> Bar | None:
        """Return the bar that opens at a full minute, or ``None`` where there are no quotes."""

    def hours(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """Yield the hours that open in ``from_s <= time < to_s``."""


class Tile:
    """Minutes of some whole weeks, repeated for ever in both directions.

    Args:
        start_s: a Sunday's midnight.
        weeks: how many.
        minutes: the bars, with times inside the tile.

    """

    def __init__(self, start_s: int, weeks: int, minutes: list[Bar]) -> None:
        self._start_s = start_s
        self._length_s = weeks * WEEK_S
        self._minutes = {bar.time - start_s: bar for bar in minutes}
        self._hours = merge(Timeframe.H1, minutes)

    def minute(self, time_s: int) -> Bar | None:
        """Return the bar that opens at a full minute, or ``None`` where there are no quotes."""
        offset = (time_s - self._start_s) % self._length_s
        bar = self._minutes.get(offset)
        return None if bar is None else moved(bar, time_s - bar.time)

    def hours(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """Yield the hours that open in ``from_s <= time < to_s``."""
        first = (from_s - self._start_s) // self._length_s
        last = (to_s - 1 - self._start_s) // self._length_s
        for repetition in range(first, last + 1):
            shift = repetition * self._length_s
            for bar in self._hours:
                if from_s <= bar.time + shift < to_s:
                    yield moved(bar, shift)


def recorded(symbol: str) -> Tile | None:
    """Return the tile of a symbol whose real bars are packaged: EURUSD, GBPUSD, XAUUSD."""
    if symbol in ("EURUSD", "GBPUSD"):
        rows = _rows(f"{symbol}_M1_2025-11.csv.gz")
        bars = [_bar(int(r["time"]), r, int(r["tick_volume"]), int(r["spread"])) for r in rows]
        return Tile(_TILE_START_S, 4, bars)
    if symbol == "XAUUSD":
        return Tile(1_777_161_600, 7, list(_gold()))
    return None


def _gold() -> Iterator[Bar]:
    """Yield minutes cut from real five-minute bars, which they add up to again."""
    for row in _rows("XAUUSD_M5_2026.csv.gz"):
        time_s = int(datetime.fromisoformat(row["time"]).timestamp())
        if time_s >= 1_777_161_600:
            volume = int(row["volume"])
            yield from _cut(_bar(time_s, row, volume, 10, digits=2), 5)


def _cut(bar: Bar, parts: int) -> Iterator[Bar]:
    """Cut a bar into minutes along the way open, extreme, extreme, close."""
    rising = bar.close >= bar.open
    way = [bar.open, *((bar.low, bar.high) if rising else (bar.high, bar.low)), bar.close]
    corners = {1: way[1], parts - 2: way[2]}
    price = bar.open
    for part in range(parts):
        share = (part + 1) / parts
        end = bar.close if part == parts - 1 else _between(way, share)
        reached = [price, end, *([corners[part]] if part in corners else [])]
        volume = max(len(reached), bar.tick_volume // parts)
        yield Bar(
            bar.time + part * 60,
            price,
            max(reached),
            min(reached),
            end,
            min(volume, MAX_TICKS_PER_MINUTE),
            bar.spread,
        )
        price = end


def _between(way: list[float], share: float) -> float:
    position = share * (len(way) - 1)
    leg = min(int(position), len(way) - 2)
    return round(way[leg] + (way[leg + 1] - way[leg]) * (position - leg), 2)


class Drawn:
    """Made-up minutes around a spec's price, for symbols without packaged bars.

    A sum of waves with seeded phases: it has no trend, ends where it began, and swings about as
    much in a day as the majors do (0.6 %). Minutes are made when they are asked for.
    """

    def __init__(self, spec: SymbolInfo, seed: int) -> None:
        self._spec = spec
        self._seed = f"{seed}/{spec.name}"
        dice = random.Random(self._seed)  # noqa: S311 - prices are no secrets
        self._waves = [
            (
                2 * math.pi * cycles / _DRAWN_MINUTES,
                dice.uniform(0, 6.283),
                0.004 / math.sqrt(rank),
            )
            for rank, cycles in enumerate((3, 7, 19, 53, 131, 337, 911, 2503, 6007), start=1)
        ]
        self._hours: list[Bar] = []

    def minute(self, time_s: int) -> Bar | None:
        """Return the bar that opens at a full minute; there always is one."""
        spec = self._spec
        number = (time_s - _TILE_START_S) // 60 % _DRAWN_MINUTES
        dice = random.Random(f"{self._seed}/{number}")  # noqa: S311 - nor are they here
        opened, closed = self._price(number), self._price(number + 1)
        reach = abs(dice.gauss(0, 1)) * spec.bid * 0.00004
        high = round(max(opened, closed) + reach, spec.digits)
        low = round(min(opened, closed) - reach, spec.digits)
        return Bar(time_s, opened, high, low, closed, dice.randint(20, 60), spec.spread)

    def hours(self, from_s: int, to_s: int) -> Iterator[Bar]:
        """Yield the hours that open in ``from_s <= time < to_s``."""
        if not self._hours:
            times = range(_TILE_START_S, _TILE_START_S + _DRAWN_WEEKS * WEEK_S, 60)
            minutes = (bar for time_s in times if (bar := self.minute(time_s)) is not None)
            self._hours = merge(Timeframe.H1, minutes)
        count = len(self._hours)
        for hour_s in range(-(-from_s // 3600) * 3600, to_s, 3600):
            bar = self._hours[(hour_s - _TILE_START_S) // 3600 % count]
            yield moved(bar, hour_s - bar.time)

    def _price(self, minute: int) -> float:
        swing = sum(size * math.sin(turn * minute + phase) for turn, phase, size in self._waves)
        return round(self._spec.bid * (1 + swing), self._spec.digits)


def _bar(time_s: int, row: dict[str, str], volume: int, spread: int, digits: int = 8) -> Bar:
    prices = (round(float(row[name]), digits) for name in ("open", "high", "low", "close"))
    opened, high, low, close = prices
    return Bar(time_s, opened, high, low, close, min(volume, MAX_TICKS_PER_MINUTE), spread)


def _rows(name: str) -> Iterator[dict[str, str]]:
    packed = files(__package__).joinpath("data", "bars", name).read_bytes()
    return csv.DictReader(gzip.decompress(packed).decode("ascii").splitlines())
