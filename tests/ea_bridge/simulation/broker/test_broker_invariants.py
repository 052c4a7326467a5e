"""What holds whatever happens: random requests, ticks and nights on three kinds of account."""

from __future__ import annotations

from decimal import Decimal

import pytest
from broker_bench import DAY, Bench, Market, close_by, deal, pair, pending, remove, stops
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ea_bridge.model import DealEntry, DealType, OrderType
from ea_bridge.simulation.broker.terms import Platform

VOLUMES = st.integers(1, 300).map(lambda n: n / 100)
PRICES = st.integers(10_500, 11_500).map(lambda n: n / 10_000)
SIDES = st.sampled_from([OrderType.BUY, OrderType.SELL])
PENDINGS = st.sampled_from(
    [
        OrderType.BUY_LIMIT,
        OrderType.SELL_LIMIT,
        OrderType.BUY_STOP,
        OrderType.SELL_STOP,
        OrderType.BUY_STOP_LIMIT,
        OrderType.SELL_STOP_LIMIT,
    ]
)
SYMBOLS = st.sampled_from(["EURUSD", "USDJPY"])
YEN = 140


def exact(value: float) -> Decimal:
    return Decimal(repr(value))


class Trading(RuleBasedStateMachine):
    """A trader without a plan, in a market without mercy."""

    mode = 2
    platform: Platform = "mt5"

    def __init__(self) -> None:
        super().__init__()
        market = Market(pair("EURUSD"), pair("USDJPY"))
        market.quote("USDJPY", YEN * 1.1, YEN * 1.1001)
        self.bench = Bench(
            market=market,
            mode=self.mode,
            platform=self.platform,
            funds=20_000.0,
            commission_per_lot=3.25,
        )
        self.broker = self.bench.broker

    def price(self, symbol: str, price: float) -> float:
        return price if symbol == "EURUSD" else round(price * YEN, 3)

    def position(self, pick: int) -> int:
        positions = self.broker.positions()
        return positions[pick % len(positions)].ticket

    @rule(side=SIDES, volume=VOLUMES, symbol=SYMBOLS)
    def open(self, side: int, volume: float, symbol: str) -> None:
        self.bench.send(deal(side, volume, symbol=symbol))

    @rule(kind=PENDINGS, volume=VOLUMES, price=PRICES, limit=PRICES, symbol=SYMBOLS)
    def wait(self, kind: int, volume: float, price: float, limit: float, symbol: str) -> None:
        price, limit = self.price(symbol, price), self.price(symbol, limit)
        self.bench.send(pending(kind, price, volume, stoplimit=limit, symbol=symbol))

    @precondition(lambda self: self.broker.positions())
    @rule(pick=st.integers(0, 20), volume=VOLUMES)
    def close(self, pick: int, volume: float) -> None:
        [one] = self.broker.positions(ticket=self.position(pick))
        side = OrderType.SELL if one.type == OrderType.BUY else OrderType.BUY
        request = deal(side, min(volume, one.volume), symbol=one.symbol, position=one.ticket)
        self.bench.send(request)

    @precondition(lambda self: self.broker.positions())
    @rule(first=st.integers(0, 20), second=st.integers(0, 20))
    def close_by(self, first: int, second: int) -> None:
        self.bench.send(close_by(self.position(first), self.position(second)))

    @precondition(lambda self: self.broker.positions())
    @rule(pick=st.integers(0, 20), sl=PRICES, tp=PRICES)
    def protect(self, pick: int, sl: float, tp: float) -> None:
        self.bench.send(stops(self.position(pick), sl=sl, tp=tp))

    @precondition(lambda self: self.broker.orders())
    @rule(pick=st.integers(0, 20))
    def cancel(self, pick: int) -> None:
        orders = self.broker.orders()
        self.bench.send(remove(orders[pick % len(orders)].ticket))

    @rule(symbol=SYMBOLS, bid=PRICES, spread=st.integers(0, 30))
    def move(self, symbol: str, bid: float, spread: int) -> None:
        ask = round(bid + spread / 10_000, 5)
        self.bench.move(self.price(symbol, bid), self.price(symbol, ask), symbol)

    @rule(volume=VOLUMES)
    def dry_up(self, volume: float) -> None:
        self.broker.script.volumes.append(volume)

    @rule(delay_ms=st.integers(0, 5000))
    def stall(self, delay_ms: int) -> None:
        self.broker.script.delays_ms.append(delay_ms)

    @rule()
    def sleep(self) -> None:
        self.bench.now += DAY
        self.broker.on_time(self.bench.now)

    @invariant()
    def equity_is_balance_credit_and_floating_result(self) -> None:
        account = self.broker.account()
        total = exact(account.balance) + exact(account.credit) + exact(account.profit)
        assert exact(account.equity) == total
        assert exact(account.margin_free) == total - exact(account.margin)
        if self.platform == "mt5":
            floating = [exact(p.profit) + exact(p.swap) for p in self.broker.positions()]
            assert exact(account.profit) == sum(floating)

    @invariant()
    def money_has_two_digits(self) -> None:
        account = self.broker.account()
        for amount in (account.balance, account.equity, account.margin, account.profit):
            assert exact(amount) == round(exact(amount), 2)

    @invariant()
    def deals_add_up_to_the_balance(self) -> None:
        if self.platform == "mt4":
            sums = [(t.profit, t.swap, t.commission) for t in self.broker.closed_trades()]
            start = Decimal(20_000)
        else:
            sums = [(d.profit, d.swap, d.commission) for d in self.broker.history_deals()]
            start = Decimal(0)
        total = start + sum((exact(one) for line in sums for one in line), Decimal(0))
        assert self.broker.balance == total

    @invariant()
    def volumes_are_positive_and_on_the_step(self) -> None:
        volumes = [one.volume for one in self.broker.positions()]
        volumes += [one.volume_current for one in self.broker.orders()]
        assert all(v > 0 and exact(v) * 100 == int(exact(v) * 100) for v in volumes)

    @invariant()
    def positions_are_the_signed_sum_of_fills(self) -> None:
        if self.platform == "mt4":
            return
        for symbol in ("EURUSD", "USDJPY"):
            filled = Decimal(0)
            for one in self.broker.history_deals():
                if one.symbol == symbol:
                    filled += exact(one.volume) * (1 if one.type == DealType.BUY else -1)
            held = sum(
                exact(p.volume) * (1 if p.type == OrderType.BUY else -1)
                for p in self.broker.positions(symbol)
            )
            assert held == filled

    @invariant()
    def netting_holds_one_position_a_symbol_and_hedging_never_nets(self) -> None:
        symbols = [one.symbol for one in self.broker.positions()]
        if self.mode == 0:
            assert len(symbols) == len(set(symbols))
            return
        entries = {one.entry for one in self.broker.history_deals()}
        assert DealEntry.INOUT not in entries

    @invariant()
    def no_order_is_both_open_and_past(self) -> None:
        past = {one.ticket for one in self.broker.history_orders()}
        assert past.isdisjoint(one.ticket for one in self.broker.orders())
        if self.platform == "mt4":
            assert past.isdisjoint(one.ticket for one in self.broker.positions())


class NettingTrading(Trading):
    mode = 0


class Mt4Trading(Trading):
    platform = "mt4"


SETTINGS = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("machine", [Trading, NettingTrading, Mt4Trading])
def test_invariants_hold(machine: type[Trading]) -> None:
    """Equity, balance, volumes, netting and the books stay consistent after every step."""
    case = machine.TestCase
    case.settings = SETTINGS
    case("runTest").runTest()


@pytest.mark.parametrize("mode", [0, 2])
def test_events_rebuild_the_account(mode: int) -> None:
    """Whoever applies the events from the start has the same orders and positions."""
    bench = Bench(mode=mode)
    orders: dict[int, object] = {}
    positions: dict[int, float] = {}
    bench.send(pending(OrderType.BUY_LIMIT, 1.09, 0.3, sl=1.05))
    bench.buy(0.2)
    bench.sell(0.5)
    bench.move(1.0899, 1.09)
    bench.send(pending(OrderType.SELL_LIMIT, 1.2, 0.3))
    bench.sell(0.1, position=bench.broker.positions()[0].ticket if mode else 0)
    for event in bench.broker.take_events():
        if event.order is not None:
            orders[event.order.ticket] = event.order
            if event.op == "remove":
                del orders[event.order.ticket]
        if event.position is not None:
            positions[event.position.ticket] = event.position.volume
            if event.op == "remove":
                del positions[event.position.ticket]
    assert set(orders) == {one.ticket for one in bench.broker.orders()}
    assert positions == {one.ticket: one.volume for one in bench.broker.positions()}


def test_the_same_seed_and_requests_give_the_same_account() -> None:
    """Tickets, deals and history are reproducible."""

    def run() -> list[object]:
        bench = Bench()
        bench.buy(0.2, sl=1.09)
        bench.sell(0.1)
        bench.move(1.08)
        return [*bench.broker.history_deals(), *bench.broker.take_events()]

    assert run() == run()
