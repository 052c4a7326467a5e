"""Market: quotes that move when they are told the time, and their history up to then."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

import msgspec

from ea_bridge.model import (
    Bar,
    BookEntry,
    BookType,
    CopyTicks,
    SymbolInfo,
    Tick,
    TickFlag,
    Timeframe,
)
from ea_bridge.simulation.clock import DAY, Hours, SessionSpan

from .bars import BarBuilder, PriceSpan, bar_end, bar_start, join, span_of
from .sources import PlayedOnce, TickSource

FIRST_MINUTE = 26_297_280
"""2020-01-01 00:00: history begins here."""
MAX_BARS = 100_000
"""MetaTrader's "max bars in chart": most bars of an answer, and how far positions reach back."""
MAX_TICKS = 200_000
"""Most ticks of an answer: the oldest of what was asked for, or the last ones."""
MAX_CACHED_MINUTES = 8
"""So many minutes of ticks are kept a symbol; all others are made again from the source."""
_HOUR = 60
_QUOTE = int(TickFlag.BID | TickFlag.ASK)


class SymbolHistory:
    """Ticks and bars of one symbol. ``now_msc`` is the present: nothing later is shown."""

    def __init__(self, spec: SymbolInfo, source: TickSource) -> None:
        self._scale = 10**spec.digits
        self._source = source
        self._minute = lru_cache(maxsize=MAX_CACHED_MINUTES)(source.ticks)
        self._last: tuple[int, Tick | None] = (-1, None)

    # --- ticks -----------------------------------------------------------------------------

    def between(self, after_msc: int, until_msc: int) -> Sequence[Tick]:
        """Return the ticks of ``after_msc < time <= until_msc``, which is in one minute."""
        ticks = self._minute(until_msc // 60_000)
        begin = bisect_right(ticks, after_msc, key=_stamp)
        return ticks[begin : bisect_right(ticks, until_msc, key=_stamp)]

    def last_tick(self, now_msc: int) -> Tick | None:
        """Return the newest tick; that of the same moment is asked for many times over."""
        if now_msc != self._last[0]:
            self._last = (now_msc, self._find_last(now_msc))
        return self._last[1]

    def _find_last(self, now_msc: int) -> Tick | None:
        minute = now_msc // 60_000
        for busy in self._busy_back(minute + 1):
            ticks = self._minute(busy)
            count = bisect_right(ticks, now_msc, key=_stamp)
            if count:
                return ticks[count - 1]
        return None

    def ticks(
        self, now_msc: int, from_msc: int | None, to_msc: int | None, count: int | None, flags: int
    ) -> list[Tick]:
        """Return ticks of ``from_msc <= time <= to_msc``, oldest first: see ``TicksParams``."""
        if flags == CopyTicks.TRADE:
            return []  # no source has trades: brokers of forex and CFDs give none
        limit = MAX_TICKS if count is None else min(count, MAX_TICKS)
        until = now_msc if to_msc is None else min(to_msc, now_msc)
        if from_msc is None:
            found = islice(_wanted(self._backwards(until), flags), limit)
            return list(found)[::-1]
        return list(islice(_wanted(self._forwards(from_msc, until), flags), limit))

    def _forwards(self, from_msc: int, until_msc: int) -> Iterator[Tick]:
        last = until_msc // 60_000
        for minute in self._busy(max(from_msc // 60_000, FIRST_MINUTE), last):
            ticks = self._minute(minute)
            begin = bisect_left(ticks, from_msc, key=_stamp)
            yield from ticks[begin : bisect_right(ticks, until_msc, key=_stamp)]

    def _backwards(self, until_msc: int) -> Iterator[Tick]:
        for minute in self._busy_back(until_msc // 60_000 + 1):
            ticks = self._minute(minute)
            yield from reversed(ticks[: bisect_right(ticks, until_msc, key=_stamp)])

    def _busy(self, minute: int, last: int) -> Iterator[int]:
        """Yield the minutes that have ticks, leaving out quiet days and hours at a stride."""
        while minute <= last:
            if self._source.span(minute, 1) is not None:
                yield minute
                minute += 1
            else:
                minute += self._quiet_from(minute)

    def _quiet_from(self, minute: int) -> int:
        # at a stride: a year without a quote would take half a million looks
        for stride in (DAY, _HOUR):
            if minute % stride == 0 and self._source.span(minute, stride) is None:
                return stride
        return 1

    def _busy_back(self, end: int) -> Iterator[int]:
        """Yield the minutes before ``end`` that have ticks, the newest first."""
        while end > FIRST_MINUTE:
            if self._source.span(end - 1, 1) is not None:
                end -= 1
                yield end
            else:
                end -= self._quiet_before(end)

    def _quiet_before(self, end: int) -> int:
        for stride in (DAY, _HOUR):
            if end % stride == 0 and self._source.span(end - stride, stride) is None:
                return stride
        return 1

    # --- bars ------------------------------------------------------------------------------

    def bars(
        self,
        timeframe: Timeframe,
        now_msc: int,
        start: int | None,
        count: int | None,
        from_s: int | None,
        to_s: int | None,
    ) -> list[Bar]:
        """Return bars, oldest first: see ``RatesParams``."""
        limit = MAX_BARS if count is None else min(count, MAX_BARS)
        skipped = start or 0
        if start is not None:
            # a chart has so many bars and no more: positions beyond it find nothing
            limit = min(limit, MAX_BARS - skipped)
        if skipped < 0 or limit <= 0:
            return []
        now = now_msc // 60_000
        last = now if to_s is None else min(to_s // 60, now)
        found: list[Bar] = []
        for bar in islice(self._bars_back(timeframe, last, now_msc), skipped, None):
            if len(found) >= limit or (from_s is not None and bar.time < from_s):
                break
            found.append(bar)
        return found[::-1]

    def span(self, start: int, end: int, now_msc: int) -> PriceSpan | None:
        """Return what has happened from minute ``start`` to before ``end`` by now."""
        start, now = max(start, FIRST_MINUTE), now_msc // 60_000
        if end <= now:
            return self._source.span(start, end - start)
        if start > now:
            return None
        whole = self._source.span(start, now - start) if start < now else None
        ticks = self._minute(now)
        unfinished = span_of(ticks[: bisect_right(ticks, now_msc, key=_stamp)], self._scale)
        return join((whole, unfinished))

    def _bars_back(self, timeframe: Timeframe, minute: int, now_msc: int) -> Iterator[Bar]:
        while minute >= FIRST_MINUTE:
            start = bar_start(timeframe, minute)
            span = self.span(start, bar_end(timeframe, start), now_msc)
            if span is not None:
                yield span.bar(start * 60, self._scale)
                minute = start - 1
            else:
                # weekends are leapt over: a bar without a tick never exists
                minute = next(self._busy_back(start), -1)


def _wanted(ticks: Iterator[Tick], flags: int) -> Iterator[Tick]:
    if flags == CopyTicks.INFO:
        return (tick for tick in ticks if tick.flags & _QUOTE)
    return ticks


def _stamp(tick: Tick) -> int:
    return tick.time_msc


MAX_TICKS_A_STEP = 2048
"""One :meth:`Market.advance` returns no more, give or take ticks of the last millisecond."""
MAX_MINUTES_A_STEP = 1440
"""One :meth:`Market.advance` moves no further."""


class UnknownSymbol(LookupError):
    """The broker has no such symbol."""


class Market:
    """Prices of all symbols. Sans-I/O: time is an argument, in broker milliseconds.

    What has happened by ``now_msc`` is all that can be seen; :meth:`advance` moves it on. The
    sources are functions of time, so nothing is stored but a few minutes for speed, and a
    symbol's ticks don't depend on who watches.

    Args:
        specs: the symbols.
        start_msc: the present at the beginning.
        sources: ticks of each symbol.
        hours: trading hours of each symbol.
        seed: of the order books.
        tapes: recorded ticks that drive time, as fast as :meth:`advance` is called; the clock is
            ignored then, and ``start_msc`` too.

    """

    def __init__(
        self,
        specs: Mapping[str, SymbolInfo],
        *,
        start_msc: int,
        sources: Mapping[str, TickSource],
        hours: Mapping[str, Hours],
        seed: int = 0,
        tapes: Mapping[str, PlayedOnce] | None = None,
    ) -> None:
        self._specs = dict(specs)
        self._hours = hours
        self._seed = seed
        self._histories = {name: SymbolHistory(specs[name], sources[name]) for name in specs}
        self._tapes = dict(tapes or {})
        self.selected = {name for name, spec in specs.items() if spec.select}
        """Symbols whose ticks :meth:`advance` returns; all others can be asked for."""
        first = min((tape.first_msc for tape in self._tapes.values()), default=0)
        # right before the first tick, so that the first step tells it
        self.now_msc = first - 1 if self._tapes else start_msc
        """The present: ticks up to here have happened."""
        self._target_msc = self.now_msc

    # --- the symbols -----------------------------------------------------------------------

    def symbols(self) -> Mapping[str, SymbolInfo]:
        """Return the static specifications by name."""
        return self._specs

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return a static specification, ``None`` for an unknown symbol."""
        return self._specs.get(name)

    def sessions(self, name: str) -> list[SessionSpan]:
        """Return the trading sessions of the week.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
        return list(self._hours_of(name).sessions)

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether a symbol trades at a moment; an unknown one never does."""
        return name in self._hours and self._hours[name].is_open(time_msc)

    def next_open(self, name: str, time_msc: int) -> int:
        """Return when a symbol trades next: the moment itself, or the beginning of a session.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
        return self._hours_of(name).next_open(time_msc)

    # --- the present -----------------------------------------------------------------------

    def tick(self, name: str) -> Tick | None:
        """Return the newest tick; ``None`` before the first, and for an unknown symbol."""
        history = self._histories.get(name)
        return None if history is None else history.last_tick(self.now_msc)

    def symbol_info(self, name: str) -> SymbolInfo:
        """Return a specification with the present quote and the extremes of the day.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
        history, spec = self._history(name), self._specs[name]
        tick = history.last_tick(self.now_msc)
        if tick is None:
            return spec
        today = self.now_msc // 60_000 // DAY * DAY
        day = history.span(today, today + DAY, self.now_msc)
        days = history.bars(Timeframe.D1, self.now_msc, None, 1, None, today * 60 - 1)
        before = round(days[-1].close * 10**spec.digits) if days else 0
        return quoted(spec, tick, day, before)

    def book(self, name: str) -> list[BookEntry]:
        """Return the order book, best prices first on each side; empty without depth or quote.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
        tick = self._history(name).last_tick(self.now_msc)
        return [] if tick is None else book_of(self._specs[name], tick, self._seed)

    # --- moving on -------------------------------------------------------------------------

    @property
    def flat_out(self) -> bool:
        """Whether tapes drive time instead of a clock."""
        return bool(self._tapes)

    @property
    def behind(self) -> bool:
        """Whether :meth:`advance` has more to tell: call it again."""
        return self.now_msc < self._target_msc or self._next_on_tape() is not None

    def select(self, name: str, enable: bool = True) -> None:
        """Choose whether :meth:`advance` returns a symbol's ticks.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
        self._history(name)
        (self.selected.add if enable else self.selected.discard)(name)

    def advance(self, now_msc: int = 0, limit: int = MAX_TICKS_A_STEP) -> list[tuple[str, Tick]]:
        """Move on; return the new ticks of the selected symbols, merged in the order of time.

        Time never goes back: an earlier ``now_msc`` changes nothing. A far one is told in parts,
        while :attr:`behind`. With tapes ``now_msc`` is ignored: each call plays ``limit`` ticks
        on, until the tapes are over and prices stand still.
        """
        if self._tapes:
            if self.now_msc >= self._target_msc:
                self._target_msc = self._stamp_on_tape(min(limit, MAX_TICKS_A_STEP))
        else:
            self._target_msc = max(self._target_msc, now_msc)
        return self._step()

    def _step(self) -> list[tuple[str, Tick]]:
        told: list[tuple[str, Tick]] = []
        limit_msc = self.now_msc + MAX_MINUTES_A_STEP * 60_000
        target = min(self._target_msc, limit_msc)
        while self.now_msc < target and len(told) < MAX_TICKS_A_STEP:
            # sources answer by the minute, so a step stops at each full one
            minute_end = (self.now_msc + 1) // 60_000 * 60_000 + 59_999
            until = min(target, minute_end)
            told += self._between(self.now_msc, until)
            self.now_msc = until
        return self._cut(told)

    def _between(self, after_msc: int, until_msc: int) -> list[tuple[str, Tick]]:
        found = [
            (name, tick)
            for name in self._specs
            if name in self.selected
            for tick in self._histories[name].between(after_msc, until_msc)
        ]
        found.sort(key=_time_msc)  # stable: of one symbol the order stays
        return found

    def _cut(self, told: list[tuple[str, Tick]]) -> list[tuple[str, Tick]]:
        """Keep what may be told at once; never part ticks of one millisecond."""
        if len(told) <= MAX_TICKS_A_STEP:
            return told
        self.now_msc = _time_msc(told[MAX_TICKS_A_STEP - 1])
        # a cursor counts ticks by their stamp: parted here, some would come twice or never
        end = MAX_TICKS_A_STEP
        while end < len(told) and _time_msc(told[end]) == self.now_msc:
            end += 1
        return told[:end]

    # --- tapes -----------------------------------------------------------------------------

    def _next_on_tape(self) -> int | None:
        """Return the stamp of the next recorded tick."""
        return min(self._stamps_on_tape(1), default=None)

    def _stamp_on_tape(self, count: int) -> int:
        """Return the stamp of the ``count``-th recorded tick from here, or of the last one."""
        stamps = sorted(self._stamps_on_tape(count))
        return stamps[min(count, len(stamps)) - 1] if stamps else self.now_msc

    def _stamps_on_tape(self, count: int) -> Iterator[int]:
        """Yield the next stamps of each tape, at most ``count`` of one."""
        for tape in self._tapes.values():
            yield from tape.stamps_after(self.now_msc, count)

    # --- the past --------------------------------------------------------------------------

    def ticks(
        self,
        name: str,
        *,
        from_msc: int | None = None,
        to_msc: int | None = None,
        count: int | None = None,
        flags: int = -1,
    ) -> list[Tick]:
        """Return ticks of ``from_msc <= time <= to_msc`` by now, oldest first.

        At most ``count`` of them and :data:`~.market.MAX_TICKS`: the oldest, or without
        ``from_msc`` the newest. ``flags`` is a :class:`~ea_bridge.model.CopyTicks`.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
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
        """Return bars, oldest first, the forming one included: see ``RatesParams``.

        At most ``count`` of them and :data:`~.market.MAX_BARS`, the newest of what was asked
        for. There is no bar where there was no tick.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
        history = self._history(name)
        return history.bars(timeframe, self.now_msc, start, count, from_s, to_s)

    def builder(self, name: str, timeframe: Timeframe) -> BarBuilder:
        """Return what follows the forming bar: feed it every tick from :meth:`advance`.

        It has counted what has happened by now: older ticks may be fed to it as well.

        Raises:
            UnknownSymbol: there is no such symbol.

        """
        history = self._history(name)
        start = bar_start(timeframe, self.now_msc // 60_000)
        span = history.span(start, bar_end(timeframe, start), self.now_msc)
        return BarBuilder(timeframe, self._specs[name].digits, start, span, self.now_msc)

    def _history(self, name: str) -> SymbolHistory:
        if name not in self._histories:
            raise UnknownSymbol(name)
        return self._histories[name]

    def _hours_of(self, name: str) -> Hours:
        if name not in self._hours:
            raise UnknownSymbol(name)
        return self._hours[name]


def _time_msc(told: tuple[str, Tick]) -> int:
    return told[1].time_msc


def quoted(spec: SymbolInfo, tick: Tick, day: PriceSpan | None, closed_points: int) -> SymbolInfo:
    """Return a specification with its quote.

    ``session_open`` is the day's first bid and ``session_close`` the last one before the day
    (``closed_points``, 0 if unknown); ``price_change`` is the change from it in percent.
    """
    scale = 10**spec.digits
    closed = closed_points / scale
    info = msgspec.structs.replace(
        spec,
        time=tick.time_msc // 1000,
        bid=tick.bid,
        ask=tick.ask,
        last=tick.last,
        spread=round((tick.ask - tick.bid) * scale),
        session_close=closed,
        price_change=round((tick.bid - closed) / closed * 100, 4) if closed else 0.0,
    )
    if day is None:
        return msgspec.structs.replace(
            info, bidhigh=tick.bid, bidlow=tick.bid, askhigh=tick.ask, asklow=tick.ask,
            session_open=0.0,
        )  # fmt: skip
    return msgspec.structs.replace(
        info,
        bidhigh=day.high / scale,
        bidlow=day.low / scale,
        askhigh=day.ask_high / scale,
        asklow=day.ask_low / scale,
        session_open=day.open / scale,
    )


_LOTS_A_LEVEL = 20


def book_of(spec: SymbolInfo, tick: Tick, seed: int) -> list[BookEntry]:
    """Return ``ticks_bookdepth`` levels of each side: asks from the best up, bids from it down.

    Nobody's orders stand behind it: levels are one to three points apart, volumes are whole
    multiples of the volume step up to 20 lots, more on levels further away.
    """
    depth = spec.ticks_bookdepth or 0
    if not depth or tick.bid <= 0:
        return []
    # of the moment and the seed alone: asked twice, the book is the same
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
