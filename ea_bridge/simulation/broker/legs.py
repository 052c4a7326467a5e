"""The margin of all positions of one symbol together: netted, covered, uncovered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ea_bridge.model import PositionType, SymbolInfo

from .formulas import hedged_margin, margin
from .ledger import Holding
from .money import ZERO


@dataclass(frozen=True)
class Leg:
    """Positions of one direction: their volume, and sums weighted with it."""

    volume: Decimal = ZERO
    value: Decimal = ZERO
    rates: Decimal = ZERO

    def plus(self, volume: Decimal, price: Decimal, rate: Decimal) -> Leg:
        """Return the leg with more volume, bought or sold at ``price``."""
        return Leg(self.volume + volume, self.value + volume * price, self.rates + volume * rate)

    def joined(self, other: Leg) -> Leg:
        """Return both legs as one."""
        return Leg(self.volume + other.volume, self.value + other.value, self.rates + other.rates)

    @property
    def price(self) -> Decimal:
        """The volume-weighted average opening price."""
        return self.value / self.volume

    @property
    def rate(self) -> Decimal:
        """The volume-weighted average rate from margin to account currency."""
        return self.rates / self.volume


@dataclass(frozen=True)
class Legs:
    """Both directions of one symbol."""

    long: Leg = Leg()
    short: Leg = Leg()

    @classmethod
    def of(cls, holdings: Iterable[Holding]) -> Legs:
        """Sum up positions."""
        legs = cls()
        for one in holdings:
            bought = one.position.type == PositionType.BUY
            legs = legs.plus(bought, one.volume, one.price, one.margin_rate)
        return legs

    def plus(self, bought: bool, volume: Decimal, price: Decimal, rate: Decimal) -> Legs:
        """Return the legs with one position more."""
        if bought:
            return Legs(self.long.plus(volume, price, rate), self.short)
        return Legs(self.long, self.short.plus(volume, price, rate))

    def margin(self, symbol: SymbolInfo, leverage: int) -> Decimal:
        """Return the margin in the account's currency, unrounded.

        From the terminal's help, "Calculation for Hedging Positions of the Same Symbol": with
        *larger leg* the dearer direction counts alone; otherwise the uncovered volume at the
        larger leg's average price, and the covered volume at the average price of all.
        """
        if symbol.margin_hedged_use_leg:
            return max(
                _leg_margin(symbol, self.long, leverage), _leg_margin(symbol, self.short, leverage)
            )
        larger, smaller = sorted((self.long, self.short), key=lambda leg: -leg.volume)
        if larger.volume == 0:
            return ZERO
        open_volume = larger.volume - smaller.volume
        total = margin(symbol, open_volume, larger.price, leverage) * larger.rate
        if smaller.volume > 0:
            both = larger.joined(smaller)
            total += hedged_margin(symbol, smaller.volume, both.price, leverage) * both.rate
        return total


def _leg_margin(symbol: SymbolInfo, leg: Leg, leverage: int) -> Decimal:
    if leg.volume == 0:
        return ZERO
    return margin(symbol, leg.volume, leg.price, leverage) * leg.rate
