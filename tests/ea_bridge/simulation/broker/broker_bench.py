"""A market that stands still until a test moves it, and brokers on it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ea_bridge.model import (
    Account,
    OrderFilling,
    OrderType,
    SymbolExecution,
    SymbolInfo,
    Tick,
    TradeAction,
    TradeRequest,
    TradeResult,
)
from ea_bridge.simulation.broker import Broker, Terms, terms_of
from ea_bridge.simulation.broker.terms import Platform

NOW = 1_764_237_600_000
"""Thursday 2025-11-27 10:00, broker time."""
HOUR, DAY = 3_600_000, 86_400_000

EURUSD = SymbolInfo(
    name="EURUSD",
    digits=5,
    point=1e-05,
    trade_tick_size=1e-05,
    trade_tick_value=1.0,
    trade_contract_size=100_000.0,
    trade_calc_mode=0,
    trade_mode=4,
    trade_exemode=2,
    filling_mode=3,
    expiration_mode=15,
    order_mode=127,
    order_gtc_mode=0,
    volume_min=0.01,
    volume_max=100.0,
    volume_step=0.01,
    volume_limit=0.0,
    swap_mode=1,
    swap_long=-6.8,
    swap_short=3.98,
    swap_rollover3days=3,
    margin_hedged_use_leg=False,
    currency_base="EUR",
    currency_profit="USD",
    currency_margin="EUR",
)


def pair(name: str, **changes: object) -> SymbolInfo:
    """Return a currency pair like EURUSD; yen pairs have three digits."""
    fields: dict[str, object] = {
        "name": name,
        "currency_base": name[:3],
        "currency_profit": name[3:6],
        "currency_margin": name[:3],
    }
    if name[3:6] == "JPY":
        fields |= {"digits": 3, "point": 0.001, "trade_tick_size": 0.001}
    return replace(EURUSD, **{**fields, **changes})


class Market:
    """Quotes by hand. ``move`` sets a price and tells the brokers on it."""

    def __init__(self, *symbols: SymbolInfo) -> None:
        self.symbols = {one.name: one for one in symbols or (EURUSD,)}
        self.ticks: dict[str, Tick] = {}
        self.closed: set[str] = set()

    def symbol(self, name: str) -> SymbolInfo | None:
        return self.symbols.get(name)

    def tick(self, name: str) -> Tick | None:
        return self.ticks.get(name)

    def is_open(self, name: str, time_msc: int) -> bool:
        return name not in self.closed

    def quote(self, name: str, bid: float, ask: float, time_msc: int = NOW) -> Tick:
        self.ticks[name] = Tick(time_msc, bid, ask)
        return self.ticks[name]

    def change(self, name: str, **fields: object) -> None:
        self.symbols[name] = replace(self.symbols[name], **fields)


ACCOUNT = Account(
    login=1,
    leverage=100,
    currency="USD",
    currency_digits=2,
    margin_mode=2,
    margin_so_call=100.0,
    margin_so_so=50.0,
)


class Bench:
    """A market with EURUSD at 1.10000/1.10010, and a funded account."""

    def __init__(
        self,
        *,
        mode: int = 2,
        platform: Platform = "mt5",
        funds: float = 10_000.0,
        market: Market | None = None,
        account: Account = ACCOUNT,
        **terms: Any,
    ) -> None:
        self.market = market or Market()
        if "EURUSD" in self.market.symbols:
            self.market.quote("EURUSD", 1.1, 1.1001)
        template = replace(account, margin_mode=mode)
        agreed: Terms = terms_of(template, platform=platform, **terms)
        self.broker = Broker(self.market, template, agreed)
        self.now = NOW
        if funds:
            self.broker.deposit(funds, self.now)
            self.broker.take_events()

    def move(self, bid: float, ask: float | None = None, name: str = "EURUSD") -> None:
        """Quote a symbol and let the broker see it, a second later."""
        self.now += 1000
        tick = self.market.quote(name, bid, bid if ask is None else ask, self.now)
        self.broker.on_tick(name, tick, self.now)

    def send(self, request: TradeRequest) -> TradeResult:
        return self.broker.send(request, self.now)

    def buy(self, volume: float = 0.1, **fields: object) -> TradeResult:
        return self.send(deal(OrderType.BUY, volume, **fields))

    def sell(self, volume: float = 0.1, **fields: object) -> TradeResult:
        return self.send(deal(OrderType.SELL, volume, **fields))

    def instant(self) -> None:
        self.market.change("EURUSD", trade_exemode=SymbolExecution.INSTANT)


def deal(kind: int, volume: float = 0.1, **fields: object) -> TradeRequest:
    """Return a market order that fits EURUSD; ``fields`` change it."""
    base = TradeRequest(
        action=TradeAction.DEAL,
        symbol="EURUSD",
        type=kind,
        volume=volume,
        type_filling=OrderFilling.IOC,
    )
    return replace(base, **fields)


def pending(kind: int, price: float, volume: float = 0.1, **fields: object) -> TradeRequest:
    """Return a pending order in EURUSD; ``fields`` change it."""
    base = TradeRequest(
        action=TradeAction.PENDING,
        symbol="EURUSD",
        type=kind,
        volume=volume,
        price=price,
        type_filling=OrderFilling.RETURN,
    )
    return replace(base, **fields)


def stops(position: int, sl: float = 0.0, tp: float = 0.0) -> TradeRequest:
    """Return a change of a position's stops."""
    return TradeRequest(action=TradeAction.SLTP, symbol="EURUSD", position=position, sl=sl, tp=tp)


def remove(order: int) -> TradeRequest:
    """Return the removal of a pending order."""
    return TradeRequest(action=TradeAction.REMOVE, order=order)


def close_by(position: int, position_by: int) -> TradeRequest:
    """Return a close-by."""
    return TradeRequest(action=TradeAction.CLOSE_BY, position=position, position_by=position_by)
