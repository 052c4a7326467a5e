"""Rollover at broker midnight: swaps, expirations, orders of the day.

A swap is worked out for each position in one sum for all the nights since the last rollover and
rounded to the cent: the recorded EURUSD history (tests/data/history) agrees to the cent, also
over a holiday, whose night is charged together with the next.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from msgspec.structs import replace

from ea_bridge.model import (
    DayOfWeek,
    Order,
    OrderState,
    OrderTime,
    PositionType,
    SymbolGtcMode,
    SymbolInfo,
    SymbolSwapMode,
)

from .inquiry import PENDINGS
from .ledger import BrokerLedger, Holding
from .money import ZERO, exact
from .valuation import Valuation

DAY_MS = 86_400_000
_THURSDAY = 4
_DAYS_A_YEAR = 360
"""Interest swaps count a year as the banks do."""
_CURRENCIES = {
    SymbolSwapMode.CURRENCY_SYMBOL: "currency_base",
    SymbolSwapMode.CURRENCY_MARGIN: "currency_margin",
}


def weekday(day: int) -> DayOfWeek:
    """Return the day of the week; ``day`` counts from 1970-01-01, a Thursday."""
    return DayOfWeek((day + _THURSDAY) % 7)


def nights(symbol: SymbolInfo, first_day: int, last_day: int) -> int:
    """Return how many nights are charged from the end of one day to the start of another.

    Nothing is charged for Saturday and Sunday; one working day counts three times for them.
    """
    return sum(_weight(symbol, weekday(day)) for day in range(first_day, last_day))


def _weight(symbol: SymbolInfo, day: DayOfWeek) -> int:
    if day in (DayOfWeek.SATURDAY, DayOfWeek.SUNDAY):
        return 0
    return 3 if day == symbol.swap_rollover3days else 1


def swap_amount(
    valuation: Valuation, symbol: SymbolInfo, holding: Holding, charged: int
) -> Decimal:
    """Return the swap of a position in the account's currency; negative if the trader pays.

    The modes that reopen positions (7 and 8) charge nothing here.
    """
    long = holding.position.type == PositionType.BUY
    swap = exact(symbol.swap_long if long else symbol.swap_short)
    gross = holding.volume * swap * charged
    size = gross * exact(symbol.trade_contract_size)
    mode, currency = symbol.swap_mode, symbol.currency_profit
    if mode == SymbolSwapMode.POINTS:
        amount = size * exact(symbol.point)
    elif mode in (SymbolSwapMode.INTEREST_CURRENT, SymbolSwapMode.INTEREST_OPEN):
        now = valuation.closing_price(holding)
        current = mode == SymbolSwapMode.INTEREST_CURRENT and now is not None
        price = now if current and now is not None else holding.price
        amount = size * price / 100 / _DAYS_A_YEAR
    elif mode == SymbolSwapMode.CURRENCY_DEPOSIT:
        return valuation.money(gross)
    elif mode in _CURRENCIES:
        amount, currency = gross, getattr(symbol, _CURRENCIES[SymbolSwapMode(mode)])
    else:
        return ZERO
    rate = valuation.prices.rate(symbol, currency, valuation.terms.currency, buying=not long)
    return valuation.money(amount * (holding.profit_rate if rate is None else rate))


def ends_msc(order: Order) -> int | None:
    """Return when an order expires, ``None`` for never."""
    if order.type not in PENDINGS:
        return None
    if order.type_time == OrderTime.DAY:
        return (order.time_setup_msc // DAY_MS + 1) * DAY_MS
    if order.type_time == OrderTime.SPECIFIED:
        return order.time_expiration * 1000
    if order.type_time == OrderTime.SPECIFIED_DAY:
        return (order.time_expiration * 1000 // DAY_MS + 1) * DAY_MS
    return None


class Rollover:
    """Rollover by the broker's clock. A clock that jumps back changes nothing."""

    def __init__(self, valuation: Valuation) -> None:
        self._valuation = valuation
        self._ledger: BrokerLedger = valuation.ledger
        self._day: int | None = None

    def on_time(self, now_msc: int) -> None:
        """Expire orders; when a day has ended, charge swaps and clear orders of the day."""
        for order in list(self._ledger.orders.values()):
            end = ends_msc(order)
            if end is not None and end <= now_msc:
                self._ledger.finish_order(order, OrderState.EXPIRED, now_msc)
        day = now_msc // DAY_MS
        if self._day is not None and day > self._day:
            self._end_day(self._day, day, now_msc)
        self._day = day if self._day is None else max(day, self._day)

    def _end_day(self, last: int, day: int, now_msc: int) -> None:
        for holding in list(self._ledger.holdings.values()):
            self._charge(holding, last, day, now_msc)
        for order in list(self._ledger.orders.values()):
            if order.type in PENDINGS and self._gtc_mode(order.symbol) != SymbolGtcMode.GTC:
                self._ledger.finish_order(order, OrderState.EXPIRED, now_msc)

    def _charge(self, holding: Holding, last: int, day: int, now_msc: int) -> None:
        position = holding.position
        symbol = self._valuation.prices.symbol(position.symbol)
        if symbol is None:
            return
        first = max(last, position.time_msc // DAY_MS)
        charged = nights(symbol, first, day)
        swap = swap_amount(self._valuation, symbol, holding, charged) if charged else ZERO
        changed = replace(position, swap=float(exact(position.swap) + swap))
        if self._gtc_mode(position.symbol) == SymbolGtcMode.DAILY:
            changed = replace(changed, sl=0.0, tp=0.0)
        if changed != position:
            self._ledger.change_position(dataclasses.replace(holding, position=changed), now_msc)

    def _gtc_mode(self, name: str) -> int:
        symbol = self._valuation.prices.symbol(name)
        return (symbol.order_gtc_mode if symbol is not None else None) or SymbolGtcMode.GTC
