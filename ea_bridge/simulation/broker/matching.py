"""Matching and rollover: changes of the books by ticks and by broker midnights.

A tick activates pending orders, hits stops, and may stop the account out. A midnight charges
swaps, ends orders and clears those of the day. A swap is worked out for each position in one sum
for all the nights since the last rollover and rounded to the cent: the recorded EURUSD history
(tests/data/history) agrees to the cent, also over a holiday, whose night is charged together with
the next.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from msgspec.structs import replace

from ea_bridge.model import (
    BUYS,
    DayOfWeek,
    Order,
    OrderReason,
    OrderState,
    OrderTime,
    OrderType,
    PositionType,
    StopoutMode,
    SymbolGtcMode,
    SymbolInfo,
    SymbolSwapMode,
    Tick,
)

from .execution import Execution, is_market
from .ledger import BrokerLedger, Holding
from .prices import ZERO, exact, rounded
from .requests import LIMITS, PENDINGS, STOP_LIMITS, RequestRefused
from .valuation import PossibleFill, Valuation, affordable

_LIMIT_OF = {
    OrderType.BUY_STOP_LIMIT: OrderType.BUY_LIMIT,
    OrderType.SELL_STOP_LIMIT: OrderType.SELL_LIMIT,
}


def reached(order: Order, tick: Tick, digits: int) -> bool:
    """Whether the market is at a pending order's price: the ask for a buy, the bid for a sell.

    Stop orders that found only part of their volume stay active.
    """
    if is_market(order):
        return True
    buying = order.type in BUYS
    # quotes carry the noise of floats: unrounded, a limit at that very price would be missed
    market = rounded(exact(tick.ask if buying else tick.bid), digits)
    price = exact(order.price_open)
    if order.type in LIMITS:
        return market <= price if buying else market >= price
    if order.state == OrderState.PARTIAL:
        return True  # a stop that was reached is a market order for what is left
    return market >= price if buying else market <= price


def hit(holding: Holding, tick: Tick, digits: int) -> OrderReason | None:
    """Return which stop of a position the market has reached: bid for long, ask for short."""
    position = holding.position
    long = position.type == PositionType.BUY
    # rounded for the same reason as in :func:`reached`
    market = float(rounded(exact(tick.bid if long else tick.ask), digits))
    sl, tp = position.sl, position.tp
    if sl and (market <= sl if long else market >= sl):
        return OrderReason.SL
    if tp and (market >= tp if long else market <= tp):
        return OrderReason.TP
    return None


class Matching:
    """Matching of orders and stops, after each tick of a symbol.

    Everything fills at the tick's own prices: across a gap a stop gets the market price, and a
    limit its price or better.
    """

    def __init__(self, valuation: Valuation, execution: Execution) -> None:
        self._valuation = valuation
        self._ledger = valuation.ledger
        self._execution = execution

    def on_tick(self, symbol: SymbolInfo, tick: Tick, now_msc: int) -> None:
        """Do what the symbol's new price demands: orders by ticket, then stops, then stop-out.

        Outside the trade session prices may move, but nothing is filled.
        """
        if not self._valuation.prices.is_open(symbol.name, now_msc):
            return
        # a copy: a fill takes orders out of the book while we go through it
        for order in [
            waiting for waiting in self._ledger.orders.values() if waiting.symbol == symbol.name
        ]:
            if self._ready(order, now_msc) and reached(order, tick, symbol.digits):
                self._activate(order, symbol, tick, now_msc)
        # asked only now: the orders above may have opened or closed positions
        for holding in self._ledger.held(symbol.name):
            reason = hit(holding, tick, symbol.digits)
            if reason is not None:
                comment = self._stop_comment(holding, reason, symbol)
                self._execution.close(holding, reason, comment, now_msc)
        # last: all that the price triggers has changed the margin by now
        self.stop_out(now_msc)

    def run_due(self, now_msc: int) -> None:
        """Fill delayed market orders whose time has come."""
        for ticket, due_msc in list(self._execution.due_msc.items()):
            if now_msc < due_msc:
                continue
            # before the fill: an order that is refused is not tried again at every tick
            del self._execution.due_msc[ticket]
            # it may be gone: a stop-out takes orders, and so does the end of a day
            order = self._ledger.orders.get(ticket)
            if order is not None:
                self._fill_or_cancel(order, now_msc)

    def stop_out(self, now_msc: int) -> None:
        """While the margin level is at or below the stop-out level: first drop orders that
        reserve margin, then close the position that loses most.
        """
        while self._ledger.holdings and self._exhausted():
            if self._valuation.terms.pending_margin_rate > 0 and self._ledger.orders:
                dearest = max(self._ledger.orders, key=self._valuation.reserved)
                order = self._ledger.orders[dearest]
                self._ledger.finish_order(order, OrderState.CANCELED, now_msc)
                continue
            closable = [h for h in self._ledger.holdings.values() if self._closable(h, now_msc)]
            if not closable:  # markets are closed: the rest is closed when they open
                return
            worst = min(closable, key=self._loss)
            comment = self._stop_out_comment()
            self._execution.close(worst, OrderReason.SO, comment, now_msc)

    # --- orders ----------------------------------------------------------------------------

    def _ready(self, order: Order, now_msc: int) -> bool:
        return now_msc >= self._execution.due_msc.get(order.ticket, 0)

    def _activate(self, order: Order, symbol: SymbolInfo, tick: Tick, now_msc: int) -> None:
        # it turns into a limit order and keeps its ticket
        if order.type in STOP_LIMITS:
            order = replace(
                order,
                type=_LIMIT_OF[OrderType(order.type)],
                price_open=order.price_stoplimit,
                price_stoplimit=0.0,
            )
            self._ledger.change_order(order, now_msc)
            if not reached(order, tick, symbol.digits):
                return  # it waits as the limit order that it has become
        # placing it reserved no margin at most brokers, so the money is looked at now; no is final
        if is_market(order) or self._affordable(order, symbol):
            self._fill_or_cancel(order, now_msc)
        else:
            self._ledger.finish_order(order, OrderState.REJECTED, now_msc)

    def _affordable(self, order: Order, symbol: SymbolInfo) -> bool:
        """Check a pending order again, as it is activated."""
        buying = order.type in BUYS
        price = self._valuation.prices.price(symbol, buying)
        if price is None:
            return False
        trade = PossibleFill(symbol, buying, exact(order.volume_current), price)
        return affordable(self._valuation, trade)

    def _fill_or_cancel(self, order: Order, now_msc: int) -> None:
        """Fill what can be; an order that closes more than is left of its position is canceled.

        Without volume on offer the order waits, but for a market order that allows no waiting.
        """
        if self._closes_too_much(order):
            self._ledger.finish_order(order, OrderState.CANCELED, now_msc)
            return
        try:
            self._execution.fill(order, now_msc)
        except RequestRefused:
            # pending orders and rests of partial fills wait for volume; a fresh order does not
            if is_market(order) and order.state != OrderState.PARTIAL:
                self._ledger.finish_order(order, OrderState.REJECTED, now_msc)

    def _closes_too_much(self, order: Order) -> bool:
        # on a netting account an order that is larger than the position turns it round
        if not (self._valuation.terms.hedging and order.position_id):
            return False
        if order.position_id == order.ticket:  # partly filled: it made the position itself
            return False
        target = self._ledger.holdings.get(order.position_id)
        return target is None or exact(order.volume_current) > target.volume

    # --- stops -----------------------------------------------------------------------------

    def _stop_comment(self, holding: Holding, reason: OrderReason, symbol: SymbolInfo) -> str:
        """``[sl 1.23456]``; MetaTrader 4 appends ``[sl]`` to the trade's own comment."""
        word = "sl" if reason == OrderReason.SL else "tp"
        position = holding.position
        if self._valuation.terms.platform == "mt4":
            return f"{position.comment}[{word}]"
        price = position.sl if reason == OrderReason.SL else position.tp
        return f"[{word} {price:.{symbol.digits}f}]"

    # --- stop-out --------------------------------------------------------------------------

    def _exhausted(self) -> bool:
        terms, level = self._valuation.terms, self._valuation.margin_level()
        # no margin in use, as where every volume is covered: only negative equity ends that
        if level is None:
            return self._valuation.equity() < 0
        if terms.stopout_mode == StopoutMode.MONEY:
            free = self._valuation.equity() - self._valuation.used_margin()
            return free <= terms.stopout
        return level <= terms.stopout

    def _closable(self, holding: Holding, now_msc: int) -> bool:
        is_open = self._valuation.prices.is_open(holding.position.symbol, now_msc)
        return is_open and self._valuation.closing_price(holding) is not None

    def _loss(self, holding: Holding) -> float:
        return float(self._valuation.floating(holding) + exact(holding.position.swap))

    def _stop_out_comment(self) -> str:
        """``[so 49.87%/498.70/1000.00]``: level, equity, margin."""
        level = self._valuation.margin_level()
        equity, used = self._valuation.equity(), self._valuation.used_margin()
        body = f"so {level or 0:.2f}%/{equity:.2f}/{used:.2f}"
        if self._valuation.terms.platform == "mt4":
            return body.replace("so ", "so: ", 1)
        return f"[{body}]"


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
        # the swap is percent a year here
        amount = size * price / 100 / _DAYS_A_YEAR
    # already in the account's currency: nothing to convert
    elif mode == SymbolSwapMode.CURRENCY_DEPOSIT:
        return valuation.money(gross)
    elif mode in _CURRENCIES:
        amount, currency = gross, getattr(symbol, _CURRENCIES[SymbolSwapMode(mode)])
    else:
        return ZERO
    rate = valuation.prices.rate(symbol, currency, valuation.terms.currency, buying=not long)
    # where nobody quotes the pair at midnight the rate of the opening serves
    return valuation.money(amount * (holding.profit_rate if rate is None else rate))


def ends_msc(order: Order) -> int | None:
    """Return when an order expires, ``None`` for never."""
    if order.type not in PENDINGS:
        return None
    # to the broker's midnight, not for 24 hours
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
        # the first call only learns the day; for kept books it is that of the last write
        if self._day is not None and day > self._day:
            self._end_day(self._day, day, now_msc)
        # a clock that was put back must not charge the same night twice
        self._day = day if self._day is None else max(day, self._day)

    def _end_day(self, last: int, day: int, now_msc: int) -> None:
        for holding in list(self._ledger.holdings.values()):
            self._charge(holding, last, day, now_msc)
        for order in list(self._ledger.orders.values()):
            # both daily modes drop pending orders; one of them drops stops as well
            if order.type in PENDINGS and self._gtc_mode(order.symbol) != SymbolGtcMode.GTC:
                self._ledger.finish_order(order, OrderState.EXPIRED, now_msc)

    def _charge(self, holding: Holding, last: int, day: int, now_msc: int) -> None:
        position = holding.position
        symbol = self._valuation.prices.symbol(position.symbol)
        if symbol is None:
            return
        # one that was opened after the last rollover pays from its own day on
        first = max(last, position.time_msc // DAY_MS)
        charged = nights(symbol, first, day)
        swap = swap_amount(self._valuation, symbol, holding, charged) if charged else ZERO
        changed = replace(position, swap=float(exact(position.swap) + swap))
        if self._gtc_mode(position.symbol) == SymbolGtcMode.DAILY:
            # SYMBOL_ORDERS_DAILY: stops live for a day, the position goes on without them
            changed = replace(changed, sl=0.0, tp=0.0)
        if changed != position:
            self._ledger.change_position(dataclasses.replace(holding, position=changed), now_msc)

    def _gtc_mode(self, name: str) -> int:
        symbol = self._valuation.prices.symbol(name)
        return (symbol.order_gtc_mode if symbol is not None else None) or SymbolGtcMode.GTC
