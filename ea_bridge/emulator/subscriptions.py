"""Subscriptions to a terminal's market: ticks from a cursor, books, bars.

Like the EA's tick pump they pull from the terminal's tick history, so that a stream goes on
exactly where the daemon left off, whatever happened to the link in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ea_bridge.model import Tick, Timeframe

TickRow = tuple[int, int, str, str, float, int, int]


@dataclass
class SymbolSubscription:
    """Ticks, book and bars of one symbol that are pushed, and the cursor of the ticks."""

    sym: int
    symbol: str
    digits: int
    ticks: bool = False
    book: bool = False
    timeframes: tuple[Timeframe, ...] = ()
    last_msc: int = 0
    n_same_msc: int = 0
    behind: bool = False
    """Ticks since the cursor were missed; they come from the terminal's history."""
    zero_first: bool = False
    """The next tick goes out without prices, as the first one of some brokers does."""

    @property
    def active(self) -> bool:
        return self.ticks or self.book or bool(self.timeframes)

    def missed(self, history: list[Tick]) -> Iterator[TickRow]:
        """Turn the terminal's history from ``last_msc`` on into rows; leave out what was sent.

        Args:
            history: with every tick of ``last_msc`` itself: the first ones of them were sent.

        """
        skip = self.n_same_msc
        for tick in history:
            if tick.time_msc == self.last_msc and skip:
                skip -= 1
            else:
                yield self._sent(tick)

    def fresh(self, tick: Tick) -> Iterator[TickRow]:
        """Turn a tick that has just happened into a row, unless it came before the subscription.

        Ticks of one millisecond are all fresh: the cursor tells them from those of a history,
        not from each other.
        """
        if tick.time_msc >= self.last_msc:
            yield self._sent(tick)

    def _sent(self, tick: Tick) -> TickRow:
        if tick.time_msc > self.last_msc:
            self.last_msc, self.n_same_msc = tick.time_msc, 0
        self.n_same_msc += 1
        return self._row(tick)

    def _row(self, tick: Tick) -> TickRow:
        bid, ask = tick.bid, tick.ask
        if self.zero_first:
            self.zero_first, bid, ask = False, 0.0, 0.0
        digits = self.digits
        return (
            self.sym,
            tick.time_msc,
            f"{bid:.{digits}f}",
            f"{ask:.{digits}f}",
            tick.last,
            tick.volume,
            tick.flags,
        )


@dataclass
class SymbolSubscriptions:
    """Symbols that the daemon listens to, with the index that ticks carry."""

    by_symbol: dict[str, SymbolSubscription] = field(default_factory=dict)

    def of(self, symbol: str, digits: int) -> SymbolSubscription:
        """Return the subscription of a symbol; its index never changes."""
        watch = self.by_symbol.get(symbol)
        if watch is None:
            watch = SymbolSubscription(len(self.by_symbol), symbol, digits)
            self.by_symbol[symbol] = watch
        return watch

    def silence(self) -> None:
        """Push nothing until asked again: a new link starts without subscriptions."""
        for watch in self.by_symbol.values():
            watch.ticks = watch.book = False
            watch.timeframes = ()

    def active(self) -> list[SymbolSubscription]:
        return [watch for watch in self.by_symbol.values() if watch.active]
