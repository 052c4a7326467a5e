"""Streams of a terminal: ticks by a cursor, order books and bars of the watched symbols.

The package has no events, so all of it is pulled. The cursor and its subscriptions are those of
the emulated terminal (:class:`~.emulator.terminal.SymbolSubscription`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ea_bridge import commands, host
from ea_bridge.emulator.command_handler import INVALID_PARAMETER, Failed
from ea_bridge.emulator.terminal import (
    ROWS_PER_FRAME,
    SymbolSubscription,
    SymbolSubscriptions,
    TickRow,
)
from ea_bridge.model import Bar, BookEntry, Tick, Timeframe
from ea_bridge.protocol.messages import BarEvent, Book, Message, Ticks

from .package import EVERY_TICK, Package, PackageError
from .questions import Questions
from .state import PackageState

PULL_TICKS = 2048
"""Of one symbol in one pass."""
LOOK_CLOSER_S = 0.25
"""Two equal ticks of one millisecond look like one: so the history is looked at now and then."""
PASS_S = 0.25
"""After a pass that took so long other things have their turn; the next one goes on there."""
BARS_S = 0.1
"""A bar that forms is told no more often than this."""
BARS_CATCH_UP = 512
"""After a stall the closed bars that are told are the newest so many."""
FIRST_TICK_MSC = 946_684_800_000
"""The year 2000: what is stamped earlier has no time."""


@dataclass
class _Seen:
    """Ticks of one symbol that were seen last."""

    tick: Tick | None = None
    looked_at: float = 0.0
    is_level: bool = False
    """The cursor has come to the newest tick."""
    is_waiting: bool = False
    """There was no tick yet when the watch began."""
    book: list[BookEntry] | None = None
    bars: dict[Timeframe, Bar] = field(default_factory=dict)


class PriceStreams:
    """Pumps of ticks, books and bars.

    Args:
        package: owned by the thread that calls this.
        questions: finds symbols and ticks.
        state: learns the time from the ticks.

    """

    def __init__(self, package: Package, questions: Questions, state: PackageState) -> None:
        self._package = package
        self._questions = questions
        self._state = state
        self._subscriptions = SymbolSubscriptions()
        self._seen: dict[str, _Seen] = {}
        self._bars_at: dict[str, float] = {}
        self._first = 0

    @property
    def is_active(self) -> bool:
        """Whether anything is watched."""
        return bool(self._subscriptions.active())

    def has_book(self, symbol: str) -> bool:
        """Whether the order book of a symbol is subscribed to."""
        found = self._subscriptions.by_symbol.get(symbol)
        return found is not None and found.book

    def silence(self) -> None:
        """Push nothing until asked again: a new link begins without subscriptions."""
        for subscription in self._subscriptions.active():
            self._set_book(subscription, wanted=False)
        self._subscriptions.silence()
        self._seen.clear()

    def watch(self, params: commands.WatchParams) -> commands.Watched:
        """Begin, change or end what is pushed of a symbol.

        Raises:
            Failed, PackageError: that cannot be watched.

        """
        timeframes = _timeframes(params.bars)
        self._questions.require_selected(params.symbol)
        if params.book:
            self._questions.require_depth(params.symbol)
        digits = self._questions.symbol(params.symbol).digits
        subscription = self._subscriptions.of(params.symbol, digits)
        seen = self._seen.setdefault(params.symbol, _Seen())
        self._set_book(subscription, wanted=params.book)
        if params.ticks and params.last_msc:
            subscription.last_msc = params.last_msc
            subscription.n_same_msc = params.n_same_msc
            seen.is_level = seen.is_waiting = False
        elif params.ticks and not subscription.ticks:
            self._begin_ticks(subscription, seen)
        subscription.ticks, subscription.timeframes = params.ticks, timeframes
        seen.bars = {code: bar for code, bar in seen.bars.items() if code in timeframes}
        return commands.Watched(
            sym=subscription.sym, symbol=subscription.symbol, digits=subscription.digits
        )

    def _set_book(self, subscription: SymbolSubscription, *, wanted: bool) -> None:
        if subscription.book == wanted:
            return
        subscription.book = False
        if wanted:
            self._package.call("market_book_add", subscription.symbol)
            subscription.book = True
            return
        try:
            self._package.call("market_book_release", subscription.symbol)
        except PackageError:
            return  # it is gone with the connection

    def _begin_ticks(self, subscription: SymbolSubscription, seen: _Seen) -> None:
        """Put the cursor behind the newest tick."""
        now = self._package.last_tick(subscription.symbol)
        seen.is_waiting = now.time_msc < FIRST_TICK_MSC
        subscription.last_msc, subscription.n_same_msc = now.time_msc, 0
        if seen.is_waiting:
            return
        found = self._questions.ticks_from(
            subscription.symbol, now.time_msc, PULL_TICKS, EVERY_TICK
        )
        same = sum(tick.time_msc == now.time_msc for tick in found)
        # not in the history yet: it is the one that we have just seen
        subscription.n_same_msc = max(same, 1)

    # --- pulling -----------------------------------------------------------------------------

    def pull(self, goes_on: Callable[[], bool]) -> list[Message]:
        """Return what is new of the watched symbols, the first one in turn.

        Args:
            goes_on: whether nothing else waits for its turn; at least one symbol is looked at.

        Raises:
            PackageError: the terminal is gone.

        """
        messages: list[Message] = []
        rows: list[TickRow] = []
        began = host.monotonic_s()
        active = self._subscriptions.active()
        for place in range(len(active)):
            if place and not (goes_on() and host.monotonic_s() - began < PASS_S):
                break
            self._first += 1
            subscription = active[self._first % len(active)]
            try:
                if subscription.ticks:
                    rows += self._pull_ticks(subscription)
                if subscription.book:
                    messages += self._pull_book(subscription)
                if subscription.timeframes and self._are_bars_due(subscription.symbol):
                    messages += self._pull_bars(subscription)
            except PackageError as error:
                if error.is_lost:
                    raise
        frames: list[Message] = [
            Ticks(d=rows[start : start + ROWS_PER_FRAME])
            for start in range(0, len(rows), ROWS_PER_FRAME)
        ]
        return frames + messages

    def _are_bars_due(self, symbol: str) -> bool:
        now = host.monotonic_s()
        if now - self._bars_at.get(symbol, 0.0) < BARS_S:
            return False
        self._bars_at[symbol] = now
        return True

    def _pull_ticks(self, subscription: SymbolSubscription) -> list[TickRow]:
        seen = self._seen[subscription.symbol]
        tick = self._state.note_tick(self._package.last_tick(subscription.symbol))
        now = host.monotonic_s()
        if tick.time_msc < FIRST_TICK_MSC:
            return []
        if seen.is_waiting:
            subscription.last_msc, seen.is_waiting = tick.time_msc, False
        is_quiet = seen.is_level and tick == seen.tick
        if is_quiet and now - seen.looked_at < LOOK_CLOSER_S:
            return []
        wanted = PULL_TICKS + subscription.n_same_msc
        found = self._questions.ticks_from(
            subscription.symbol, subscription.last_msc, wanted, EVERY_TICK
        )
        rows = list(subscription.missed(found))
        seen.tick, seen.looked_at = tick, now
        seen.is_level = len(found) < wanted and subscription.last_msc >= tick.time_msc
        return rows

    def _pull_book(self, subscription: SymbolSubscription) -> list[Message]:
        seen = self._seen[subscription.symbol]
        book = self._package.book(subscription.symbol)
        if book == seen.book:
            return []
        seen.book = book
        time_msc = self._package.last_tick(subscription.symbol).time_msc
        return [Book(sym=subscription.sym, time_msc=time_msc, d=book)]

    def _pull_bars(self, subscription: SymbolSubscription) -> list[Message]:
        messages: list[Message] = []
        for timeframe in subscription.timeframes:
            messages += self._pull_period(subscription, timeframe)
        return messages

    def _pull_period(
        self, subscription: SymbolSubscription, timeframe: Timeframe
    ) -> list[Message]:
        def newest(count: int) -> list[Bar]:
            code = int(timeframe)
            return self._package.bars("copy_rates_from_pos", subscription.symbol, code, 0, count)

        def event(bar: Bar, *, closed: bool) -> Message:
            return BarEvent(sym=subscription.sym, timeframe=int(timeframe), d=bar, closed=closed)

        known = self._seen[subscription.symbol].bars
        before = known.get(timeframe)
        bars = newest(2)
        if bars and before is not None and bars[0].time > before.time:
            bars = newest(BARS_CATCH_UP)
        if not bars or bars[-1] == before:
            return []
        known[timeframe] = bars[-1]
        closed = [bar for bar in bars[:-1] if before is not None and bar.time >= before.time]
        return [*(event(bar, closed=True) for bar in closed), event(bars[-1], closed=False)]


def _timeframes(codes: str) -> tuple[Timeframe, ...]:
    try:
        return tuple(Timeframe(int(code)) for code in codes.split(",") if code)
    except ValueError:
        raise Failed(INVALID_PARAMETER, f"no such timeframes: {codes}") from None
