"""Market of the simulated brokers: prices drawn from the seed, with spikes, gaps and breaks.

What waits near the market is met soon: stops, limits and pending orders. All prices are a pure
function of seed, symbol and minute, so that any minute can be asked for in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random

from msgspec.structs import replace

from ea_bridge.model import DayOfWeek, SymbolInfo, Tick, TickFlag
from ea_bridge.simulation.clock import Hours, SessionSpan
from ea_bridge.simulation.market import Market
from ea_bridge.simulation.market.bars import PriceSpan, join, span_of
from ea_bridge.simulation.market.market import MAX_TICKS_A_STEP
from ea_bridge.simulation.specs import load_specs

MINUTE_MS = 60_000
PRICES = {"EURUSD": 1.1, "GBPUSD": 1.3}
"""Symbols that there are, and what they are quoted at about."""
WITH_BREAKS = "GBPUSD"
"""Closed for some minutes of every hour; the others never are."""
BREAK_MINUTES = 3
MAX_FIRST_BREAK_MINUTES = 8
"""Minutes from the beginning to the first break."""
WAVES = ((4, 60), (32, 240), (480, 900))
"""Minutes between the turning points of the prices, and how far these lie apart, in points."""
LEVEL_MINUTES = 11
LEVEL_POINTS = 180
"""So often prices leap, and how far at most to each side of where they would be."""
SPIKE_SHARE, SPIKE_POINTS = 0.2, (60, 400)
"""Share of the minutes in which prices leap for some ticks, and how far."""
TICKS = (40, 140)
"""In a minute."""
NOISE_POINTS = 12
SPREADS = (4, 24)
_BOTH = int(TickFlag.BID | TickFlag.ASK)
_KEPT_MINUTES = 16
_DAYS = tuple(DayOfWeek)
_WEEKEND = (DayOfWeek.SATURDAY, DayOfWeek.SUNDAY)


class DrawnPrices:
    """Ticks of one symbol; before its first minute the price stands still.

    Args:
        key: of what is drawn: seed and symbol.
        base: the price at which it begins, in points.
        scale: points a unit of price.
        first_minute: from when on it is quoted, in minutes since 1970.
        rests: it is not quoted at weekends.
        ticks: how many a minute, from and to.

    """

    def __init__(
        self,
        key: str,
        base: int,
        scale: int,
        first_minute: int,
        *,
        rests: bool = False,
        ticks: tuple[int, int] = TICKS,
    ) -> None:
        self._key = key
        self._base = base
        self._scale = scale
        self._first = first_minute
        self._rests = rests
        self._ticks = ticks
        self._spans: dict[int, PriceSpan | None] = {}
        self._sums: dict[int, tuple[int, PriceSpan | None]] = {}
        self._made = lru_cache(maxsize=_KEPT_MINUTES)(self._make)

    def ticks(self, minute: int) -> Sequence[Tick]:
        """Return the ticks of a minute, oldest first."""
        if minute < self._first:
            return (self._still(minute),)
        if self._rests and _is_of_weekend(minute):
            return ()
        return self._made(minute)

    def span(self, minute: int, minutes: int) -> PriceSpan | None:
        """Return what the ticks of some minutes amount to."""
        end = minute + minutes
        quiet = self._quiet(min(end, self._first) - minute) if minute < self._first else None
        if end <= self._first:
            return quiet
        begin = max(minute, self._first)
        reached, total = self._sums.get(begin, (begin, None))
        if reached > end:
            reached, total = begin, None
        for one in range(reached, end):
            total = join((total, self._span(one)))
        self._sums[begin] = (end, total)
        return join((quiet, total))

    def _span(self, minute: int) -> PriceSpan | None:
        if minute not in self._spans:
            ticks = self.ticks(minute)
            self._spans[minute] = span_of(ticks, self._scale) if ticks else None
        return self._spans[minute]

    def _quiet(self, minutes: int) -> PriceSpan:
        bid, ask = self._base, self._base + SPREADS[0]
        return PriceSpan(bid, bid, bid, bid, minutes, SPREADS[0], ask, ask)

    def _still(self, minute: int) -> Tick:
        bid, ask = self._base / self._scale, (self._base + SPREADS[0]) / self._scale
        return Tick(minute * MINUTE_MS, bid, ask, flags=_BOTH)

    def _make(self, minute: int) -> tuple[Tick, ...]:
        dice = self._dice(minute)
        begin, end = self._wave(minute), self._wave(minute + 1)
        level = self._level(minute)
        count, spread = dice.randint(*self._ticks), dice.randint(*SPREADS)
        spike = _spike(dice, count)
        stamps = sorted(dice.randrange(MINUTE_MS) for _ in range(count))
        ticks, before = [], 0
        for n, stamp in enumerate(stamps):
            way = begin + (end - begin) * stamp // MINUTE_MS
            bid = self._base + level + way + dice.randint(-NOISE_POINTS, NOISE_POINTS)
            bid += spike.get(n, 0)
            flags = _BOTH if bid != before else 0
            at_msc = minute * MINUTE_MS + stamp
            prices = bid / self._scale, (bid + spread) / self._scale
            ticks.append(Tick(at_msc, *prices, flags=flags))
            before = bid
        return tuple(ticks)

    def _wave(self, minute: int) -> int:
        return sum(self._turning(minute, *one) for one in WAVES)

    def _turning(self, minute: int, period: int, height: int) -> int:
        cell, into = divmod(minute - self._first, period)
        before, after = (self._drawn(f"wave {period}", n, height) for n in (cell, cell + 1))
        return before + (after - before) * into // period

    def _level(self, minute: int) -> int:
        return self._drawn("level", (minute - self._first) // LEVEL_MINUTES, LEVEL_POINTS)

    def _drawn(self, name: str, n: int, most: int) -> int:
        return 0 if n == 0 else self._dice(f"{name} {n}").randint(-most, most)

    def _dice(self, what: object) -> Random:
        return Random(f"{self._key} {what}")  # noqa: S311 (a market, not a secret)


def _is_of_weekend(minute: int) -> bool:
    return _DAYS[(minute // 1440 + 4) % 7] in _WEEKEND  # 1970 began with a Thursday


def _spike(dice: Random, count: int) -> dict[int, int]:
    """Return how far which ticks of a minute lie off."""
    if dice.random() >= SPIKE_SHARE:
        return {}
    first = dice.randrange(count)
    points = dice.choice((-1, 1)) * dice.randint(*SPIKE_POINTS)
    return dict.fromkeys(range(first, first + dice.randint(1, 4)), points)


class DrawnMarket(Market):
    """A market that can be made to stand still, so that books can be compared."""

    _stands = False

    def stand_still(self) -> None:
        """Let no price come any more, and no time pass."""
        self._stands = True

    def advance(self, now_msc: int = 0, limit: int = MAX_TICKS_A_STEP) -> list[tuple[str, Tick]]:
        """Move on, unless it stands still; return the new ticks."""
        return [] if self._stands else super().advance(now_msc, limit)


def drawn_market(
    seed: int,
    name: str,
    start_msc: int,
    *,
    rests: bool = False,
    ticks: tuple[int, int] = TICKS,
) -> DrawnMarket:
    """Return the market of a broker, beginning at a moment of its clock.

    Args:
        seed: of the run.
        name: of the broker; another one has other prices.
        start_msc: broker milliseconds.
        rests: closed at weekends.
        ticks: of each symbol, how many a minute.

    """
    first = start_msc // MINUTE_MS
    specs = _specs()
    sources = {
        symbol: DrawnPrices(
            f"{seed} prices {name} {symbol}",
            round(price * 10 ** specs[symbol].digits),
            10 ** specs[symbol].digits,
            first,
            rests=rests,
            ticks=ticks,
        )
        for symbol, price in PRICES.items()
    }
    days = [day for day in DayOfWeek if not rests or day not in _WEEKEND]
    hours = {symbol: _hours(seed, name, symbol, first, days) for symbol in PRICES}
    return DrawnMarket(specs, start_msc=start_msc, sources=sources, hours=hours, seed=seed)


@lru_cache(maxsize=1)
def _specs() -> dict[str, SymbolInfo]:
    found = load_specs()
    return {symbol: replace(found[symbol], select=True) for symbol in PRICES}


def _hours(
    seed: int, name: str, symbol: str, first_minute: int, days: Sequence[DayOfWeek]
) -> Hours:
    if symbol != WITH_BREAKS:
        return Hours([SessionSpan(day, 0, 86_400) for day in days])
    dice = Random(f"{seed} breaks {name}")  # noqa: S311 (a market, not a secret)
    shut = (first_minute + dice.randint(1, MAX_FIRST_BREAK_MINUTES)) % 60
    is_open = [(minute - shut) % 60 >= BREAK_MINUTES for minute in range(60)]
    spans = [_span_of_hour(is_open, begin) for begin in range(60) if _begins(is_open, begin)]
    return Hours(
        [
            SessionSpan(day, hour * 3600 + begin * 60, hour * 3600 + end * 60)
            for day in days
            for hour in range(24)
            for begin, end in spans
        ]
    )


def _begins(is_open: Sequence[bool], minute: int) -> bool:
    return is_open[minute] and (minute == 0 or not is_open[minute - 1])


def _span_of_hour(is_open: Sequence[bool], begin: int) -> tuple[int, int]:
    end = next((one for one in range(begin, 60) if not is_open[one]), 60)
    return begin, end
