"""The market of the emulated broker: quotes that move, history, depth. See :class:`Market`."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from ea_bridge.model import Bar, BookEntry, BookType, SymbolInfo, Tick, Timeframe

from .frames import BarBuilder, opened_at
from .history import History
from .series import ReplaySeries, Series, TileSeries
from .sessions import Sessions
from .tile import Drawn, recorded

Week = Literal["always", "real"]
MAX_STEP_MS = 60_000
"""The market moves on by no more at once, so that a jump is told in bounded parts."""
_WEEKEND_KINDS = ("BTCUSD",)


@dataclass
class _Day:
    """The extremes of the present day."""

    ends_s: int
    bidhigh: float
    bidlow: float
    askhigh: float
    asklow: float
    opened: float


class _Lazy:
    """The series of a symbol, made when it is first needed: reading bars takes a moment."""

    def __init__(self, spec: SymbolInfo, seed: int, *, around_the_clock: bool) -> None:
        self._spec, self._seed, self._always = spec, seed, around_the_clock

    def make(self) -> Series:
        tile = recorded(self._spec.name.removesuffix(".r")) or Drawn(self._spec, self._seed)
        seed = f"{self._seed}/{self._spec.name}"
        return TileSeries(tile, self._spec.digits, seed, around_the_clock=self._always)


class Market:
    """Prices of all symbols, a function of time and seed alone.

    Args:
        specs: the symbols.
        now_msc: the broker's wall clock at the beginning, in milliseconds.
        seed: of everything drawn.
        recordings: ticks to replay, by symbol: repeated end to end from the beginning on.
        week: ``real``: no quotes and no trading from Saturday to Monday, except for crypto;
            ``always``: open around the clock, so that a first try on a Sunday is not turned away.
        flat_out: the first recording drives the time: :meth:`advance` ignores the clock, gives
            the recording tick by tick, once, and then stands still.

    """

    def __init__(
        self,
        specs: Mapping[str, SymbolInfo],
        now_msc: int,
        *,
        seed: int = 0,
        recordings: Mapping[str, Sequence[Tick]] | None = None,
        week: Week = "always",
        flat_out: bool = False,
    ) -> None:
        self._specs = dict(specs)
        self.now_msc = now_msc
        """Market time: what has been told so far."""
        self.behind = False
        """There is more to tell of the time that :meth:`advance` was given."""
        self._sessions = {
            name: Sessions(around_the_clock=week == "always" or name in _WEEKEND_KINDS)
            for name in specs
        }
        self._lazy = {
            name: _Lazy(spec, seed, around_the_clock=week == "always" or name in _WEEKEND_KINDS)
            for name, spec in specs.items()
        }
        self.flat_out = flat_out
        self._recordings = dict(recordings or {})
        self._histories: dict[str, History] = {}
        self._last: dict[str, Tick | None] = {}
        self._days: dict[str, _Day] = {}
        self._begin_s = -(-now_msc // 60_000) * 60 if flat_out else now_msc // 60_000 * 60
        self._replay: list[Tick] | None = None
        self._replay_symbol = next(iter(self._recordings), "")
        if flat_out:
            self._prepare_replay()

    def symbols(self) -> Mapping[str, SymbolInfo]:
        """Return the specifications, as the broker publishes them."""
        return self._specs

    # --- the present -----------------------------------------------------------------------

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return a specification; for the broker."""
        return self._specs.get(name)

    def tick(self, name: str) -> Tick | None:
        """Return the newest tick; ``None`` for a symbol that is unknown or was never quoted."""
        if name not in self._specs:
            return None
        if name not in self._last:
            self._last[name] = self._history(name).last_tick(self.now_msc)
        return self._last[name]

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether the symbol can be traded."""
        return name in self._sessions and self._sessions[name].is_open(time_msc)

    def next_open(self, name: str, time_msc: int) -> int:
        """When it can be traded next; the time itself if it can be now."""
        return self._sessions[name].next_open(time_msc)

    def symbol_info(self, name: str) -> SymbolInfo:
        """Return a specification with the present quote and the day's extremes."""
        spec, tick = self._specs[name], self.tick(name)
        if tick is None:
            return spec
        day = self._day(name, tick)
        return replace(
            spec,
            time=tick.time_msc // 1000,
            bid=tick.bid,
            ask=tick.ask,
            spread=round((tick.ask - tick.bid) / spec.point),
            bidhigh=day.bidhigh,
            bidlow=day.bidlow,
            askhigh=day.askhigh,
            asklow=day.asklow,
            session_open=day.opened,
        )

    def book(self, name: str) -> list[BookEntry]:
        """Return the whole book, sells first, best prices in the middle, as MetaTrader does."""
        spec, tick = self._specs[name], self.tick(name)
        if tick is None or not spec.ticks_bookdepth:
            return []
        levels = range(spec.ticks_bookdepth)
        sells = [
            BookEntry(BookType.SELL, round(tick.ask + n * spec.point, spec.digits), _lots(tick, n))
            for n in reversed(levels)
        ]
        buys = [
            BookEntry(
                BookType.BUY, round(tick.bid - n * spec.point, spec.digits), _lots(tick, n + 7)
            )
            for n in levels
        ]
        return sells + buys

    # --- moving on -------------------------------------------------------------------------

    def advance(self, now_msc: int, limit: int = 256) -> list[tuple[str, Tick]]:
        """Move on to ``now_msc``; return the new ticks of all symbols in the order of time.

        Far jumps are told in parts: call again while :attr:`behind`. Flat out, ``now_msc`` is
        ignored and ``limit`` ticks of the recording are told.
        """
        if self._replay is not None:
            return self._step(limit)
        until = min(now_msc, self.now_msc + MAX_STEP_MS)
        self.behind = until < now_msc
        if until <= self.now_msc:
            return []
        fresh = [
            [(name, tick) for tick in self._history(name).ticks_between(self.now_msc, until)]
            for name in self._specs
        ]
        return self._told(fresh, until)

    def _step(self, limit: int) -> list[tuple[str, Tick]]:
        assert self._replay is not None
        chosen = self._replay[-limit:][::-1]
        del self._replay[-limit:]
        self.behind = bool(self._replay)
        if not chosen:
            return []
        until = chosen[-1].time_msc
        fresh = [
            [(name, tick) for tick in self._history(name).ticks_between(self.now_msc, until)]
            for name in self._specs
            if name != self._replay_symbol
        ]
        return self._told([*fresh, [(self._replay_symbol, tick) for tick in chosen]], until)

    def _told(self, fresh: list[list[tuple[str, Tick]]], until: int) -> list[tuple[str, Tick]]:
        told = list(heapq.merge(*fresh, key=lambda pair: pair[1].time_msc))
        self.now_msc = max(until, self.now_msc)
        for name, tick in told:
            self._last[name] = tick
            if name in self._days:
                self._note_day(name, tick)
        return told

    def _prepare_replay(self) -> None:
        series = self._replay_series(self._replay_symbol, self._recordings[self._replay_symbol])
        self._histories[self._replay_symbol] = History(
            series, self._specs[self._replay_symbol].point
        )
        self.now_msc = series.begin_s * 1000 - 1
        minutes = range(series.begin_s, series.begin_s + series.length_s, 60)
        self._replay = [tick for minute_s in minutes for tick in series.minute_ticks(minute_s)]
        self._replay.reverse()
        self.behind = True

    # --- the past --------------------------------------------------------------------------

    def ticks(
        self,
        name: str,
        *,
        from_msc: int | None = None,
        to_msc: int | None = None,
        count: int = 1000,
        flags: int = -1,
    ) -> list[Tick]:
        """Return ticks up to the present, oldest first."""
        return self._history(name).ticks(self.now_msc, from_msc, to_msc, count, flags)

    def bars(
        self,
        name: str,
        timeframe: Timeframe,
        *,
        start: int | None = None,
        count: int | None = None,
        from_s: int | None = None,
        to_s: int | None = None,
    ) -> list[Bar]:
        """Return bars up to the forming one, oldest first."""
        return self._history(name).bars(
            timeframe, self.now_msc, start=start, count=count, from_s=from_s, to_s=to_s
        )

    def builder(self, name: str, timeframe: Timeframe) -> BarBuilder:
        """Return what follows the forming bar, tick by tick."""
        forming = self.bars(name, timeframe, start=0, count=1)
        bar = forming[0] if forming else None
        if bar is not None and bar.time < opened_at(timeframe, self.now_msc // 1000):
            bar = None
        return BarBuilder(timeframe, bar, self._specs[name].point)

    # --- inside ----------------------------------------------------------------------------

    def _history(self, name: str) -> History:
        history = self._histories.get(name)
        if history is None:
            series: Series = self._lazy[name].make()
            if name in self._recordings:
                series = self._replay_series(name, self._recordings[name])
            history = self._histories[name] = History(series, self._specs[name].point)
        return history

    def _replay_series(self, name: str, ticks: Sequence[Tick]) -> ReplaySeries:
        spec = self._specs[name]
        older = self._lazy[name].make()
        return ReplaySeries(ticks, self._begin_s, spec.point, spec.digits, older)

    def _day(self, name: str, tick: Tick) -> _Day:
        day = self._days.get(name)
        if day is None or tick.time_msc // 1000 >= day.ends_s:
            bar = self.bars(name, Timeframe.D1, start=0, count=1)[-1]
            gap = tick.ask - tick.bid
            digits = self._specs[name].digits
            high, low = round(bar.high + gap, digits), round(bar.low + gap, digits)
            day = _Day(bar.time + 86_400, bar.high, bar.low, high, low, bar.open)
            self._days[name] = day
        return day

    def _note_day(self, name: str, tick: Tick) -> None:
        day = self._days[name]
        if tick.time_msc // 1000 >= day.ends_s:
            del self._days[name]
            return
        day.bidhigh, day.bidlow = max(day.bidhigh, tick.bid), min(day.bidlow, tick.bid)
        day.askhigh, day.asklow = max(day.askhigh, tick.ask), min(day.asklow, tick.ask)


def _lots(tick: Tick, level: int) -> float:
    """Return a volume of 0.1 to 9.9 lots that looks random and always is the same."""
    return round((tick.time_msc * 31 + level * 977) % 99 / 10 + 0.1 * (level + 1), 1)
