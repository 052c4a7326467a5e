"""Prices and sums as the broker knows them: exact decimals, quotes, currency conversion.

Floats are only in the nouns that leave the broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import Protocol

from ea_bridge.model import SymbolInfo, Tick

ZERO = Decimal(0)
ONE = Decimal(1)


@lru_cache(maxsize=8192, typed=True)
def exact(value: float) -> Decimal:
    """Return the decimal that the float was written as: 0.1 is a tenth.

    Kept, because the same volumes and prices are valued at every tick.
    """
    return Decimal(repr(value))


_MOST = Decimal(10) ** 18


def rounded(amount: Decimal, digits: int) -> Decimal:
    """Round to the digits of a currency or a price, half away from zero (``MathRound``).

    The recorded history agrees to the cent, but holds no tie that would show the rule for halves.
    """
    if abs(amount) >= _MOST:
        return amount  # has more digits than a decimal, so it is not rounded
    return amount.quantize(_unit(digits), ROUND_HALF_UP)


@lru_cache(maxsize=8192, typed=True)
def _quoted(value: float, digits: int) -> Decimal:
    # kept, because all positions of a symbol are valued at the same quote
    return rounded(exact(value), digits)


@cache
def _unit(digits: int) -> Decimal:
    return ONE.scaleb(-digits)


def on_grid(value: float, step: float) -> bool:
    """Whether a value is a multiple of the step, but for the noise of binary floats.

    MetaTrader's own quotes carry that noise (1.1721300000000001), so it is forgiven.
    """
    steps = exact(value) / exact(step)
    return abs(steps - steps.to_integral_value()) < Decimal("1e-6")


VEHICLE = "USD"
"""The currency that two others are converted through when they have no pair of their own."""


class QuoteSource(Protocol):
    """Market as the broker sees it. The broker never stores a quote of its own."""

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return the static specification, ``None`` for an unknown symbol."""
        ...

    def tick(self, name: str) -> Tick | None:
        """Return the newest tick, ``None`` before the first."""
        ...

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether the symbol's trade session runs at this broker time."""
        ...


class Prices:
    """Quotes with the symbol's digits, and rates between currencies."""

    def __init__(self, quotes: QuoteSource) -> None:
        self._quotes = quotes
        self._present: tuple[str, Tick] | None = None

    @contextmanager
    def during(self, name: str, tick: Tick) -> Iterator[None]:
        """Let this tick be the symbol's newest, even when the market has run ahead."""
        self._present = (name, tick)
        try:
            yield
        finally:
            self._present = None

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return the specification."""
        return self._quotes.symbol(name)

    def known(self, name: str) -> SymbolInfo:
        """Return the specification of a symbol that something is held or ordered in.

        Raises:
            LookupError: the market no longer knows it.

        """
        symbol = self._quotes.symbol(name)
        if symbol is None:
            raise LookupError(name)
        return symbol

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether the symbol can be traded now."""
        return self._quotes.is_open(name, time_msc)

    def tick(self, name: str) -> Tick | None:
        """Return the newest tick; one without prices, as after a subscription, is none."""
        if self._present is not None and self._present[0] == name:
            # a batch of ticks is matched one by one, when the market is at its end already
            tick: Tick | None = self._present[1]
        else:
            tick = self._quotes.tick(name)
        return tick if tick is not None and tick.bid > 0 and tick.ask > 0 else None

    def price(self, symbol: SymbolInfo, buying: bool) -> Decimal | None:
        """Return what a buyer pays (ask) or a seller gets (bid), ``None`` without a quote."""
        tick = self.tick(symbol.name)
        if tick is None:
            return None
        return _quoted(tick.ask if buying else tick.bid, symbol.digits)

    def rate(
        self,
        symbol: SymbolInfo,
        source: str,
        target: str,
        *,
        buying: bool,
        price: Decimal | None = None,
    ) -> Decimal | None:
        """Return how many units of ``target`` one unit of ``source`` is worth.

        A buy converts at the ask and a sell at the bid, whichever way round the pair is quoted
        and whether the sum is a profit or a loss: the documentation says so of margins, and the
        closing deals of the recorded USDCAD history (tests/data/history) show it of profits.
        ``price`` is that of the deal in hand: it counts where the pair is the symbol itself.
        The broker's own suffix is tried first: a deal in EURCAD_i converts at USDCAD_i.
        """
        if source == target:
            return ONE
        one_step = self._pair_rate(symbol, source, target, buying, price)
        # through the dollar only where neither is one: there is no third way
        if one_step is not None or VEHICLE in (source, target):
            return one_step
        first = self._pair_rate(symbol, source, VEHICLE, buying, price)
        second = self._pair_rate(symbol, VEHICLE, target, buying, price)
        return None if first is None or second is None else first * second

    def _pair_rate(
        self, symbol: SymbolInfo, source: str, target: str, buying: bool, price: Decimal | None
    ) -> Decimal | None:
        direct = self._pair_price(symbol, source + target, buying, price)
        if direct is not None:
            return direct
        inverse = self._pair_price(symbol, target + source, buying, price)
        # at the same side of the market, as the recorded deals show, and not at the other one
        return None if inverse is None else ONE / inverse

    def _pair_price(
        self, symbol: SymbolInfo, pair: str, buying: bool, price: Decimal | None
    ) -> Decimal | None:
        own = symbol.currency_base + symbol.currency_profit
        for name in dict.fromkeys((symbol.name.replace(own, pair), pair)):
            if name == symbol.name and own != pair:
                continue  # the symbol's name shows no pair to replace
            if name == symbol.name and price is not None:
                return price
            spec = self.symbol(name)
            quote = None if spec is None else self.price(spec, buying)
            if quote is not None:
                return quote
        return None
