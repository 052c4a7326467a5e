"""Margin and profit of one symbol, in the symbol's currencies, by ``SYMBOL_TRADE_CALC_MODE``.

The formulas are those of the MQL5 reference (ENUM_SYMBOL_CALC_MODE) and of the terminal's help
("Margin Calculation: Retail Forex, Futures"), with a margin rate of 1 for positions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ea_bridge.model import PositionType, SymbolInfo
from ea_bridge.model import SymbolCalcMode as Mode

from .ledger import Holding
from .money import ZERO, exact

_BY_TICKS = {Mode.FUTURES, Mode.CFDINDEX, Mode.EXCH_FUTURES, Mode.EXCH_OPTIONS_MARGIN}
_FIXED_MARGIN = {Mode.FUTURES, Mode.EXCH_FUTURES, Mode.EXCH_OPTIONS_MARGIN}


def calc_mode(symbol: SymbolInfo) -> Mode:
    """Return the symbol's formula; MetaTrader 4 symbols are taken for Forex."""
    return Mode(symbol.trade_calc_mode or Mode.FOREX)


def profit(
    symbol: SymbolInfo, volume: Decimal, opened: Decimal, closed: Decimal, *, long: bool
) -> Decimal:
    """Return the profit of a position, unrounded, in the symbol's profit currency."""
    move = closed - opened if long else opened - closed
    if calc_mode(symbol) in _BY_TICKS and symbol.trade_tick_size > 0:
        return move * volume * exact(symbol.trade_tick_value) / exact(symbol.trade_tick_size)
    return move * volume * exact(symbol.trade_contract_size)


def tick_value(symbol: SymbolInfo) -> Decimal:
    """Return what a move of one tick brings to a position of one lot, in the profit currency."""
    if calc_mode(symbol) in _BY_TICKS:
        return exact(symbol.trade_tick_value)
    return exact(symbol.trade_tick_size) * exact(symbol.trade_contract_size)


def margin(
    symbol: SymbolInfo,
    volume: Decimal,
    price: Decimal,
    leverage: int,
    *,
    contract: Decimal | None = None,
    per_lot: Decimal | None = None,
) -> Decimal:
    """Return the margin of a volume, unrounded, in the symbol's margin currency.

    ``contract`` and ``per_lot`` take the place of the contract size and of the fixed margin of a
    lot: the hedged margin is one or the other.
    """
    fixed = exact(symbol.margin_initial) if per_lot is None else per_lot
    mode = calc_mode(symbol)
    if fixed > 0 or mode in _FIXED_MARGIN:
        return volume * fixed
    size = volume * (exact(symbol.trade_contract_size) if contract is None else contract)
    geared = size / max(leverage, 1)
    if mode == Mode.FOREX:
        return geared
    if mode == Mode.FOREX_NO_LEVERAGE:
        return size
    if mode == Mode.CFDLEVERAGE:
        return geared * price
    if mode == Mode.CFDINDEX and symbol.trade_tick_size > 0:
        tick_value = exact(symbol.trade_tick_value) / exact(symbol.trade_tick_size)
        return size * price * tick_value
    if mode == Mode.SERV_COLLATERAL:
        return ZERO
    return size * price


def hedged_margin(symbol: SymbolInfo, volume: Decimal, price: Decimal, leverage: int) -> Decimal:
    """Return the margin of volume that is covered by an opposite position.

    ``margin_hedged`` is money for each lot where the initial margin is fixed too, and otherwise
    the contract size to calculate with; 0: covered volume needs no margin.
    """
    hedged = exact(symbol.margin_hedged)
    if hedged <= 0:
        return ZERO
    if symbol.margin_initial > 0:
        return margin(symbol, volume, price, leverage, per_lot=hedged)
    return margin(symbol, volume, price, leverage, contract=hedged)


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
        for holding in holdings:
            bought = holding.position.type == PositionType.BUY
            legs = legs.plus(bought, holding.volume, holding.price, holding.margin_rate)
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
