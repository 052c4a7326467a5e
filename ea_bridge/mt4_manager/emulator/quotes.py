"""Sources of the emulated server's prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ea_bridge.model import SymbolInfo, Tick
from ea_bridge.simulation.broker.prices import Prices, QuoteSource
from ea_bridge.simulation.market import Market
from ea_bridge.simulation.specs import load_specs


class FixedQuotes:
    """Prices that stay as they are until they are set: for tests, and for measuring.

    They begin with those of the packaged specifications.
    """

    def __init__(self) -> None:
        self.specs: Mapping[str, SymbolInfo] = load_specs()
        self._ticks = {
            name: Tick(spec.time * 1000, spec.bid, spec.ask) for name, spec in self.specs.items()
        }
        self._days: dict[str, tuple[float, float]] = {}

    def set(self, name: str, bid: float, ask: float) -> None:
        """Move a price."""
        high, low = self.day(name)
        self._days[name] = (max(high, bid), min(low, bid))
        self._ticks[name] = Tick(self._ticks[name].time_msc + 1, bid, ask)

    def day(self, name: str) -> tuple[float, float]:
        """Return the highest and the lowest bid so far."""
        bid = self._ticks[name].bid
        return self._days.get(name, (bid, bid))

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return a specification."""
        return self.specs.get(name)

    def tick(self, name: str) -> Tick | None:
        """Return the price."""
        return self._ticks.get(name)

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether it can be traded: always."""
        return name in self.specs


class MarketQuotes:
    """Prices of the emulator's market, as they are when somebody asks.

    Args:
        market: one that nobody else moves on.
        now_msc: the present, in broker milliseconds.

    """

    def __init__(self, market: Market, now_msc: Callable[[], int]) -> None:
        self._market = market
        self._now_msc = now_msc
        for name in tuple(market.selected):
            market.select(name, enable=False)  # nobody is told of ticks: moving on costs nothing
        self.specs: Mapping[str, SymbolInfo] = market.symbols()

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return a specification."""
        return self.specs.get(name)

    def tick(self, name: str) -> Tick | None:
        """Return the newest price."""
        self._move_on()
        return self._market.tick(name)

    def day(self, name: str) -> tuple[float, float]:
        """Return the highest and the lowest bid of the server's day."""
        self._move_on()
        info = self._market.symbol_info(name)
        return info.bidhigh, info.bidlow

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether it can be traded now."""
        return self._market.is_open(name, time_msc)

    def _move_on(self) -> None:
        now_msc = self._now_msc()
        while self._market.now_msc < now_msc:
            self._market.advance(now_msc)


class Snapshot:
    """Prices and rates of one moment, each looked up once: for questions about many accounts.

    Args:
        prices: of the market.

    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._quotes: dict[str, tuple[float, float]] = {}
        self._rates: dict[tuple[str, str, bool], float] = {}

    def quote(self, name: str) -> tuple[float, float]:
        """Return bid and ask; zeros where there is no price."""
        known = self._quotes.get(name)
        if known is None:
            tick = self._prices.tick(name)
            known = (0.0, 0.0) if tick is None else (tick.bid, tick.ask)
            self._quotes[name] = known
        return known

    def profit_rate(self, name: str, currency: str, *, long: bool) -> float:
        """Return what a unit of a symbol's profit is worth; a long position closes with a sell.

        1 where a currency has no price.
        """
        key = (name, currency, long)
        known = self._rates.get(key)
        if known is None:
            symbol = self._prices.known(name)
            rate = self._prices.rate(symbol, symbol.currency_profit, currency, buying=not long)
            known = self._rates[key] = 1.0 if rate is None else float(rate)
        return known

    def margin_rate(self, name: str, currency: str, *, buying: bool) -> float:
        """Return what a unit of a symbol's margin currency is worth; 1 without a price."""
        symbol = self._prices.known(name)
        rate = self._prices.rate(symbol, symbol.currency_margin, currency, buying=buying)
        return 1.0 if rate is None else float(rate)


__all__ = ["FixedQuotes", "MarketQuotes", "QuoteSource", "Snapshot"]
