"""Every refusal a user meets: one table of retcodes with the request that earns each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from broker_bench import (
    ACCOUNT,
    HOUR,
    NOW,
    Bench,
    close_by,
    deal,
    pair,
    pending,
    remove,
    stops,
)
from msgspec.structs import replace

from ea_bridge.model import (
    OrderFilling,
    OrderTime,
    OrderType,
    SymbolExecution,
    SymbolTradeMode,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)
from ea_bridge.simulation.broker import COMMENTS

R, T, M = TradeRetcode, OrderType, SymbolTradeMode
Case = Callable[[Bench], TradeResult]


def with_symbol(case: Case, **fields: object) -> Case:
    """Do something in a EURUSD that has other properties."""

    def run(bench: Bench) -> TradeResult:
        bench.market.change("EURUSD", **fields)
        return case(bench)

    return run


def with_switch(name: str) -> Case:
    """Buy with a switch turned off."""

    def run(bench: Bench) -> TradeResult:
        setattr(bench.broker.switches, name, False)
        return bench.buy()

    return run


def sending(request: TradeRequest) -> Case:
    return lambda bench: bench.send(request)


def buying(volume: float = 0.1, **fields: Any) -> Case:
    return lambda bench: bench.buy(volume, **fields)


def waiting(kind: int, price: float, **fields: Any) -> Case:
    return sending(pending(kind, price, **fields))


def after_buy(request: Callable[[int], TradeRequest], **fields: Any) -> Case:
    """Buy 0.1, then send a request made from the position's ticket."""

    def run(bench: Bench) -> TradeResult:
        position = bench.buy(**fields).position
        return bench.send(request(position))

    return run


def after_limit(request: Callable[[int], TradeRequest], price: float = 1.09) -> Case:
    """Place a buy limit, then send a request made from its ticket."""

    def run(bench: Bench) -> TradeResult:
        order = bench.send(pending(T.BUY_LIMIT, price)).order
        return bench.send(request(order))

    return run


def modify(order: int, price: float, **fields: object) -> TradeRequest:
    base = TradeRequest(action=TradeAction.MODIFY, order=order, price=price)
    return replace(base, **fields)


def closed_market(case: Case) -> Case:
    def run(bench: Bench) -> TradeResult:
        bench.market.closed.add("EURUSD")
        return case(bench)

    return run


def without_quote(bench: Bench) -> TradeResult:
    bench.market.ticks.clear()
    return bench.buy()


def with_empty_quote(bench: Bench) -> TradeResult:
    bench.market.quote("EURUSD", 0.0, 0.0)
    return bench.buy()


def unconvertible(bench: Bench) -> TradeResult:
    bench.market.symbols["EURSEK"] = pair("EURSEK")
    bench.market.quote("EURSEK", 11.0, 11.01)
    return bench.buy(symbol="EURSEK")


def scripted(retcode: TradeRetcode) -> Case:
    def run(bench: Bench) -> TradeResult:
        bench.broker.script.refusals.append(retcode)
        return bench.buy()

    return run


def close_twice(bench: Bench) -> TradeResult:
    position = bench.buy().position
    bench.sell(position=position)
    return bench.sell(position=position)


def close_while_closing(bench: Bench) -> TradeResult:
    position = bench.buy().position
    bench.broker.script.delays_ms.append(5000)
    bench.sell(position=position)
    return bench.sell(position=position)


def fok_without_volume(bench: Bench) -> TradeResult:
    bench.broker.script.volumes.append(0.05)
    return bench.buy(type_filling=OrderFilling.FOK)


def same_direction(position: int) -> TradeRequest:
    return deal(T.BUY, 0.1, position=position)


def frozen_stops(bench: Bench) -> TradeResult:
    position = bench.buy(sl=1.0999).position
    bench.market.change("EURUSD", trade_freeze_level=20)
    return bench.send(stops(position, sl=1.098))


def frozen_order(bench: Bench) -> TradeResult:
    order = bench.send(pending(T.BUY_LIMIT, 1.1)).order
    bench.market.change("EURUSD", trade_freeze_level=20)
    return bench.send(remove(order))


def far_from_market(bench: Bench) -> TradeResult:
    bench.instant()
    return bench.buy(price=1.1003, deviation=10)


INSTANT = {"trade_exemode": SymbolExecution.INSTANT}
IOC_ONLY = {"filling_mode": 2}
EXCHANGE_FOK = {"trade_exemode": SymbolExecution.EXCHANGE, "filling_mode": 1}

TABLE: list[tuple[TradeRetcode, str, Case]] = [
    (R.INVALID, "unknown action", sending(replace(deal(T.BUY), action=99))),
    (R.INVALID, "unknown symbol", buying(symbol="NOSUCH")),
    (R.INVALID, "price is not a number", buying(price=float("nan"))),
    (R.INVALID, "infinite volume", buying(float("inf"))),
    (R.INVALID, "negative price", waiting(T.BUY_LIMIT, -1.0)),
    (R.INVALID, "negative ticket", buying(position=-1)),
    (R.INVALID, "closing order in the position's direction", after_buy(same_direction)),
    (R.INVALID, "stops without a position on a hedging account", sending(stops(0, sl=1.0))),
    (R.INVALID, "close-by with one ticket", after_buy(lambda p: close_by(p, 0))),
    (R.INVALID, "close-by with itself", after_buy(lambda p: close_by(p, p))),
    (R.INVALID_VOLUME, "zero", buying(0.0)),
    (R.INVALID_VOLUME, "negative", buying(-0.1)),
    (R.INVALID_VOLUME, "below the minimum", buying(0.001)),
    (R.INVALID_VOLUME, "above the maximum", buying(100.01)),
    (R.INVALID_VOLUME, "off the step", buying(0.015)),
    (R.INVALID_PRICE, "instant execution without a price", with_symbol(buying(), **INSTANT)),
    (R.INVALID_PRICE, "off the grid", waiting(T.BUY_LIMIT, 1.090001)),
    (R.INVALID_PRICE, "pending without a price", waiting(T.BUY_LIMIT, 0.0)),
    (R.INVALID_PRICE, "buy limit above the market", waiting(T.BUY_LIMIT, 1.101)),
    (R.INVALID_PRICE, "buy limit at the ask", waiting(T.BUY_LIMIT, 1.1001)),
    (R.INVALID_PRICE, "sell limit below the market", waiting(T.SELL_LIMIT, 1.099)),
    (R.INVALID_PRICE, "buy stop below the market", waiting(T.BUY_STOP, 1.09)),
    (R.INVALID_PRICE, "sell stop above the market", waiting(T.SELL_STOP, 1.11)),
    (
        R.INVALID_PRICE,
        "nearer than the stops level",
        with_symbol(waiting(T.BUY_STOP, 1.1005), trade_stops_level=50),
    ),
    (
        R.INVALID_PRICE,
        "buy stop-limit with its limit above its stop",
        waiting(T.BUY_STOP_LIMIT, 1.11, stoplimit=1.111),
    ),
    (R.INVALID_PRICE, "stop-limit without a limit", waiting(T.SELL_STOP_LIMIT, 1.09)),
    (R.INVALID_STOPS, "long SL above the bid", buying(sl=1.10005)),
    (R.INVALID_STOPS, "long TP below the bid", buying(tp=1.0999)),
    (R.INVALID_STOPS, "short SL below the ask", lambda b: b.sell(sl=1.1)),
    (R.INVALID_STOPS, "short TP above the ask", lambda b: b.sell(tp=1.2)),
    (R.INVALID_STOPS, "off the grid", buying(sl=1.0500001)),
    (R.INVALID_STOPS, "too near", with_symbol(buying(sl=1.0998), trade_stops_level=50)),
    (R.INVALID_STOPS, "symbol without SL", with_symbol(buying(sl=1.05), order_mode=111)),
    (R.INVALID_STOPS, "pending SL beyond its price", waiting(T.BUY_LIMIT, 1.09, sl=1.095)),
    (
        R.INVALID_STOPS,
        "stop-limit SL measured from the limit",
        waiting(T.BUY_STOP_LIMIT, 1.12, stoplimit=1.11, sl=1.115),
    ),
    (R.TRADE_DISABLED, "symbol disabled", with_symbol(buying(), trade_mode=M.DISABLED)),
    (R.TRADE_DISABLED, "account", with_switch("trade_allowed")),
    (R.MARKET_CLOSED, "deal", closed_market(buying())),
    (R.MARKET_CLOSED, "pending", closed_market(waiting(T.BUY_LIMIT, 1.09))),
    (R.NO_MONEY, "more than free margin allows", buying(9.1)),
    (R.REQUOTE, "beyond the deviation", far_from_market),
    (R.REQUOTE, "scripted", scripted(R.REQUOTE)),
    (R.PRICE_CHANGED, "scripted", scripted(R.PRICE_CHANGED)),
    (R.PRICE_OFF, "never quoted", without_quote),
    (R.PRICE_OFF, "bid and ask 0", with_empty_quote),
    (R.PRICE_OFF, "no way to the account's currency", unconvertible),
    (
        R.INVALID_EXPIRATION,
        "in the past",
        waiting(T.BUY_LIMIT, 1.09, type_time=OrderTime.SPECIFIED, expiration=NOW // 1000 - 1),
    ),
    (R.INVALID_EXPIRATION, "unknown lifetime", waiting(T.BUY_LIMIT, 1.09, type_time=9)),
    (
        R.INVALID_EXPIRATION,
        "symbol allows GTC alone",
        with_symbol(waiting(T.BUY_LIMIT, 1.09, type_time=OrderTime.DAY), expiration_mode=1),
    ),
    (
        R.INVALID_EXPIRATION,
        "yesterday as the last day",
        waiting(
            T.BUY_LIMIT,
            1.09,
            type_time=OrderTime.SPECIFIED_DAY,
            expiration=(NOW - 24 * HOUR) // 1000,
        ),
    ),
    (R.NO_CHANGES, "stops as they are", after_buy(lambda p: stops(p))),
    (R.NO_CHANGES, "order as it is", after_limit(lambda o: modify(o, 1.09))),
    (R.SERVER_DISABLES_AT, "broker forbids programs", with_switch("server_autotrading")),
    (R.CLIENT_DISABLES_AT, "button off", with_switch("autotrading")),
    (R.CONNECTION, "terminal offline", with_switch("connected")),
    (R.FROZEN, "market near the position's SL", frozen_stops),
    (R.FROZEN, "market near the order", frozen_order),
    (R.INVALID_FILL, "FOK, bit not set", with_symbol(buying(type_filling=0), **IOC_ONLY)),
    (R.INVALID_FILL, "RETURN under market execution", buying(type_filling=2)),
    (
        R.INVALID_FILL,
        "BOC for a market order",
        with_symbol(buying(type_filling=3), filling_mode=7),
    ),
    (R.INVALID_FILL, "no such mode", buying(type_filling=7)),
    (R.INVALID_FILL, "exchange, IOC bit not set", with_symbol(buying(), **EXCHANGE_FOK)),
    (
        R.INVALID_FILL,
        "pending FOK, bit not set",
        with_symbol(waiting(T.BUY_LIMIT, 1.09, type_filling=0), **IOC_ONLY),
    ),
    (R.INVALID_FILL, "BOC stop", waiting(T.BUY_STOP, 1.11, type_filling=3)),
    (R.INVALID_ORDER, "deal of a pending type", sending(deal(T.BUY_LIMIT))),
    (R.INVALID_ORDER, "pending of a market type", waiting(T.BUY, 1.09)),
    (R.INVALID_ORDER, "no such type", waiting(77, 1.09)),
    (
        R.INVALID_ORDER,
        "symbol without limits",
        with_symbol(waiting(T.BUY_LIMIT, 1.09), order_mode=125),
    ),
    (R.INVALID_ORDER, "removing an unknown order", sending(remove(12345))),
    (R.INVALID_ORDER, "changing an unknown order", sending(modify(12345, 1.09))),
    (R.POSITION_CLOSED, "unknown position", buying(position=12345)),
    (R.POSITION_CLOSED, "closing twice", close_twice),
    (R.POSITION_CLOSED, "stops of an unknown position", sending(stops(12345, sl=1.0))),
    (
        R.INVALID_CLOSE_VOLUME,
        "more than it holds",
        after_buy(lambda p: deal(T.SELL, 0.2, position=p)),
    ),
    (R.CLOSE_ORDER_EXIST, "another order closes it already", close_while_closing),
    (R.LONG_ONLY, "selling", with_symbol(lambda b: b.sell(), trade_mode=M.LONGONLY)),
    (R.SHORT_ONLY, "buying", with_symbol(buying(), trade_mode=M.SHORTONLY)),
    (R.CLOSE_ONLY, "opening", with_symbol(buying(), trade_mode=M.CLOSEONLY)),
    (R.CLOSE_ONLY, "pending", with_symbol(waiting(T.BUY_LIMIT, 1.09), trade_mode=M.CLOSEONLY)),
    (
        R.LIMIT_VOLUME,
        "one direction",
        with_symbol(lambda b: (b.buy(0.2), b.buy(0.2))[1], volume_limit=0.3),
    ),
    (R.REJECT, "FOK finds too little volume", fok_without_volume),
    *[(code, "scripted", scripted(code)) for code in (R.REJECT, R.TIMEOUT, R.LOCKED, R.ONLY_REAL)],
]


@pytest.mark.parametrize(
    ("retcode", "case"), [pytest.param(r, c, id=f"{r}-{why}") for r, why, c in TABLE]
)
def test_each_refusal_has_its_retcode(retcode: TradeRetcode, case: Case) -> None:
    """The server answers with the retcode and MetaTrader's words, and no tickets."""
    bench = Bench()
    result = case(bench)
    assert TradeRetcode(result.retcode) is retcode
    assert (result.order, result.deal, result.position) == (0, 0, 0)
    assert result.comment == COMMENTS[retcode]


def test_refusals_leave_no_event() -> None:
    """A refused request is not seen in the account at all."""
    bench = Bench()
    for request in (deal(T.BUY, 0.001), deal(T.BUY, 50.0), pending(T.BUY_LIMIT, 2.0)):
        bench.send(request)
    assert bench.broker.take_events() == []
    assert bench.broker.orders() == bench.broker.positions() == []


LIMITED: list[tuple[TradeRetcode, dict[str, object], Case]] = [
    (R.LIMIT_POSITIONS, {"limit_positions": 1}, lambda b: (b.buy(), b.buy())[1]),
    (R.HEDGE_PROHIBITED, {"hedging_prohibited": True}, lambda b: (b.buy(), b.sell())[1]),
    (R.TOO_MANY_REQUESTS, {"requests_per_second": 1}, lambda b: (b.buy(), b.buy())[1]),
]


@pytest.mark.parametrize(("retcode", "terms", "case"), LIMITED)
def test_each_limit_of_the_account_has_its_retcode(
    retcode: TradeRetcode, terms: dict[str, Any], case: Case
) -> None:
    """10040, 10046 and 10024 come from the broker's terms."""
    assert case(Bench(**terms)).retcode == retcode


def test_too_many_pending_orders() -> None:
    """10033: ``ACCOUNT_LIMIT_ORDERS`` counts pending orders."""
    bench = Bench(account=replace(ACCOUNT, limit_orders=1))
    assert bench.send(pending(T.BUY_LIMIT, 1.09)).retcode == R.DONE
    assert bench.send(pending(T.BUY_LIMIT, 1.08)).retcode == R.LIMIT_ORDERS
    assert bench.buy().retcode == R.DONE


def test_fifo_accounts_close_the_oldest_position_first() -> None:
    """10045 for a younger position of the symbol."""
    bench = Bench(account=replace(ACCOUNT, fifo_close=True))
    older, younger = bench.buy().position, bench.buy().position
    assert bench.sell(position=younger).retcode == R.FIFO_CLOSE
    assert bench.sell(position=older).retcode == R.DONE
    assert bench.sell(position=younger).retcode == R.DONE


PRECEDENCE: list[tuple[TradeRetcode, Case]] = [
    (R.CLIENT_DISABLES_AT, with_symbol(with_switch("autotrading"), trade_mode=M.DISABLED)),
    (R.INVALID_VOLUME, buying(1000.0, sl=2.0)),
    (R.INVALID_FILL, closed_market(buying(type_filling=7, sl=2.0))),
    (R.INVALID_STOPS, closed_market(buying(sl=2.0))),
    (R.MARKET_CLOSED, closed_market(buying(50.0))),
]


@pytest.mark.parametrize(("retcode", "case"), PRECEDENCE)
def test_of_two_faults_the_earlier_check_answers(retcode: TradeRetcode, case: Case) -> None:
    """Switches, volume, filling, stops, session, money: in this order."""
    assert case(Bench()).retcode == retcode


def test_every_retcode_has_words() -> None:
    """No answer can fail for lack of a comment."""
    assert set(COMMENTS) == set(TradeRetcode)
