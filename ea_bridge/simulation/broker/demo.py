"""Past of a demonstration account: a deposit, closed trades, waiting orders."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from ea_bridge.model import (
    DayOfWeek,
    Deal,
    DealEntry,
    DealReason,
    DealType,
    Order,
    OrderFilling,
    OrderReason,
    OrderState,
    OrderType,
    SymbolInfo,
)

from .broker import Broker
from .matching import DAY_MS, weekday
from .prices import Prices, QuoteSource, exact, rounded
from .valuation import profit

_WEEKS = 6
_TRADES = 24
_HOUR_MS = 3_600_000
_WEEKEND = (DayOfWeek.SATURDAY, DayOfWeek.SUNDAY)
_COMMENTS = ("", "breakout", "mean reversion")
_FIRST_ORDER, _FIRST_DEAL = 1_000_001, 900_001
_PENDING_DISTANCES = (
    (OrderType.BUY_LIMIT, Decimal("0.985")),
    (OrderType.SELL_LIMIT, Decimal("1.015")),
    (OrderType.BUY_STOP, Decimal("1.02")),
)
_PENDING_LOTS = Decimal("0.1")


@dataclass(frozen=True)
class _Trade:
    """A closed trade of the past."""

    symbol: SymbolInfo
    long: bool
    volume: Decimal
    opened: Decimal
    closed: Decimal
    opened_msc: int
    closed_msc: int
    comment: str
    magic: int

    @property
    def sides(self) -> tuple[tuple[int, Decimal, bool, DealEntry], ...]:
        return (
            (self.opened_msc, self.opened, self.long, DealEntry.IN),
            (self.closed_msc, self.closed, not self.long, DealEntry.OUT),
        )


def load_demo(
    broker: Broker,
    quotes: QuoteSource,
    now_msc: int,
    *,
    seed: int = 0,
    deposit: float = 10_000.0,
    symbols: tuple[str, ...] = ("EURUSD", "GBPUSD"),
    pending: str = "GBPUSD",
) -> None:
    """Give a new account six weeks of history and three pending orders.

    Trades happen on working days at prices near the present one, in those of ``symbols`` that
    are quoted and profit in the account's currency. Without swap: none is held overnight.
    """
    dice = random.Random(seed)  # noqa: S311 - a made-up past
    start = (now_msc // DAY_MS - 7 * _WEEKS) * DAY_MS
    priced = [_priced(quotes, name) for name in symbols]
    tradable = [
        found for found in priced if found and found[0].currency_profit == broker.terms.currency
    ]
    trades = [
        _made_up(dice, *dice.choice(tradable), at_msc)
        for at_msc in _moments(dice, start, now_msc)
        if tradable
    ]
    waiting = _priced(quotes, pending)
    orders, deals = _records(broker, trades)
    if waiting is not None:
        ticket = _FIRST_ORDER + len(orders)
        orders += _pendings(*waiting, ticket, now_msc - DAY_MS)
    # as a past, not as trades: no margin is checked, and nobody is told of events
    broker.load(orders, [_deposit(deposit, start), *deals])


def _priced(quotes: QuoteSource, name: str) -> tuple[SymbolInfo, Decimal] | None:
    symbol = quotes.symbol(name)
    price = None if symbol is None else Prices(quotes).price(symbol, buying=True)
    return None if symbol is None or price is None else (symbol, price)


def _deposit(amount: float, at_msc: int) -> Deal:
    return Deal(
        ticket=_FIRST_DEAL,
        time=at_msc // 1000,
        time_msc=at_msc,
        type=DealType.BALANCE,
        profit=amount,
        comment="Deposit",
    )


def _moments(dice: random.Random, start: int, now_msc: int) -> list[int]:
    """Return opening times between 8 and 16 o'clock of working days before today, in order."""
    days = [d for d in range(start // DAY_MS + 1, now_msc // DAY_MS) if weekday(d) not in _WEEKEND]
    return sorted(
        dice.choice(days) * DAY_MS + dice.randrange(8 * _HOUR_MS, 16 * _HOUR_MS)
        for _ in range(_TRADES)
    )


def _made_up(dice: random.Random, symbol: SymbolInfo, price: Decimal, at_msc: int) -> _Trade:
    """Return a trade of five minutes to three hours."""
    opened = rounded(price * (1 + exact(dice.uniform(-0.004, 0.004))), symbol.digits)
    closed = rounded(opened * (1 + exact(dice.gauss(0.0002, 0.0015))), symbol.digits)
    return _Trade(
        symbol=symbol,
        long=dice.random() < 0.5,
        volume=exact(symbol.volume_min) * dice.randrange(1, 11),
        opened=opened,
        closed=closed,
        opened_msc=at_msc,
        closed_msc=at_msc + dice.randrange(300_000, 3 * _HOUR_MS),
        comment=dice.choice(_COMMENTS),
        magic=dice.choice((0, 20_240)),
    )


def _records(broker: Broker, trades: list[_Trade]) -> tuple[list[Order], list[Deal]]:
    """Return two orders and two deals for each trade; for MetaTrader 4 one of each."""
    one_ticket = broker.terms.platform == "mt4"
    orders: list[Order] = []
    deals: list[Deal] = []
    for trade in trades:
        position = _FIRST_ORDER + len(orders)
        made = [_order(trade, position, position + side, side) for side in (0, 1)]
        # MetaTrader 4 keeps a closed trade as one order with both of its prices
        if one_ticket:
            made = [_closed_trade(trade, position)]
        orders += made
        for side in (1,) if one_ticket else (0, 1):
            ticket = _FIRST_DEAL + 1 + len(deals)
            deals.append(_deal(broker, trade, position, made[-1 if side else 0], ticket, side))
    return orders, deals


def _order(trade: _Trade, position: int, ticket: int, side: int) -> Order:
    time_msc, price, buying, _ = trade.sides[side]
    return Order(
        ticket=ticket,
        time_setup=time_msc // 1000,
        time_setup_msc=time_msc,
        time_done=time_msc // 1000,
        time_done_msc=time_msc,
        type=OrderType.BUY if buying else OrderType.SELL,
        type_filling=OrderFilling.IOC,
        state=OrderState.FILLED,
        magic=trade.magic,
        position_id=position,
        reason=OrderReason.EXPERT,
        volume_initial=float(trade.volume),
        price_current=float(price),
        symbol=trade.symbol.name,
        comment=trade.comment,
    )


def _closed_trade(trade: _Trade, ticket: int) -> Order:
    return Order(
        ticket=ticket,
        time_setup=trade.opened_msc // 1000,
        time_setup_msc=trade.opened_msc,
        time_done=trade.closed_msc // 1000,
        time_done_msc=trade.closed_msc,
        type=OrderType.BUY if trade.long else OrderType.SELL,
        state=OrderState.FILLED,
        magic=trade.magic,
        position_id=ticket,
        reason=OrderReason.EXPERT,
        volume_initial=float(trade.volume),
        price_open=float(trade.opened),
        price_current=float(trade.closed),
        symbol=trade.symbol.name,
        comment=trade.comment,
    )


def _deal(
    broker: Broker, trade: _Trade, position: int, order: Order, ticket: int, side: int
) -> Deal:
    time_msc, price, buying, entry = trade.sides[side]
    earned = profit(trade.symbol, trade.volume, trade.opened, trade.closed, long=trade.long)
    money = rounded(earned, broker.terms.currency_digits)
    return Deal(
        ticket=ticket,
        order=order.ticket,
        time=time_msc // 1000,
        time_msc=time_msc,
        type=DealType.BUY if buying else DealType.SELL,
        entry=entry,
        magic=trade.magic,
        position_id=position,
        reason=DealReason.EXPERT,
        volume=float(trade.volume),
        price=float(price),
        profit=float(money) if side else 0.0,
        symbol=trade.symbol.name,
        comment=trade.comment,
    )


def _pendings(symbol: SymbolInfo, price: Decimal, ticket: int, placed_msc: int) -> list[Order]:
    return [
        Order(
            ticket=ticket + n,
            time_setup=placed_msc // 1000,
            time_setup_msc=placed_msc,
            type=kind,
            type_filling=OrderFilling.RETURN,
            state=OrderState.PLACED,
            reason=OrderReason.CLIENT,
            volume_initial=float(_PENDING_LOTS),
            volume_current=float(_PENDING_LOTS),
            price_open=float(rounded(price * factor, symbol.digits)),
            symbol=symbol.name,
            comment="waiting",
        )
        for n, (kind, factor) in enumerate(_PENDING_DISTANCES)
    ]
