"""Margin and profit of one symbol, in the symbol's currencies, by ``SYMBOL_TRADE_CALC_MODE``.

The formulas are those of the MQL5 reference (ENUM_SYMBOL_CALC_MODE) and of the terminal's help
("Margin Calculation: Retail Forex, Futures"), with a margin rate of 1 for positions.
"""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import SymbolCalcMode as Mode
from ea_bridge.model import SymbolInfo

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
