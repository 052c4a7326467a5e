"""Pending orders, stops, expirations, partial fills, scripted delays."""

from __future__ import annotations

import pytest
from broker_bench import DAY, HOUR, NOW, Bench, pending, remove, stops
from msgspec.structs import replace

from ea_bridge.model import (
    DealEntry,
    DealReason,
    Order,
    OrderFilling,
    OrderState,
    OrderTime,
    OrderType,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)

T = OrderType


def past(bench: Bench, ticket: int) -> Order:
    [order] = bench.broker.history_orders(ticket=ticket)
    return order


TRIGGERS = [
    # kind, price, tick that must not trigger, tick that must, fill price
    (T.BUY_LIMIT, 1.09, (1.089, 1.09001), (1.0899, 1.09), 1.09),
    (T.BUY_LIMIT, 1.09, (1.095, 1.0951), (1.08, 1.0801), 1.0801),
    (T.SELL_LIMIT, 1.11, (1.10999, 1.112), (1.11, 1.1101), 1.11),
    (T.SELL_LIMIT, 1.11, (1.105, 1.1051), (1.12, 1.1201), 1.12),
    (T.BUY_STOP, 1.11, (1.1099, 1.10999), (1.1099, 1.11), 1.11),
    (T.BUY_STOP, 1.11, (1.105, 1.1051), (1.13, 1.1301), 1.1301),
    (T.SELL_STOP, 1.09, (1.09001, 1.0901), (1.09, 1.0901), 1.09),
    (T.SELL_STOP, 1.09, (1.095, 1.0951), (1.07, 1.0701), 1.07),
]


@pytest.mark.parametrize(("kind", "price", "before", "at", "filled"), TRIGGERS)
def test_pending_orders_wait_for_their_side_of_the_market(
    kind: int,
    price: float,
    before: tuple[float, float],
    at: tuple[float, float],
    filled: float,
) -> None:
    """Buys look at the ask, sells at the bid. Across a gap stops fill at the market, limits at
    the market too, which is better than their price.
    """
    bench = Bench()
    ticket = bench.send(pending(kind, price)).order
    bench.move(*before)
    assert [one.ticket for one in bench.broker.orders()] == [ticket]
    bench.move(*at)
    assert bench.broker.orders() == []
    assert past(bench, ticket).state == OrderState.FILLED
    [position] = bench.broker.positions()
    assert (position.ticket, position.price_open) == (ticket, filled)


@pytest.mark.parametrize(
    ("kind", "price", "limit", "trigger", "fill"),
    [
        (T.BUY_STOP_LIMIT, 1.11, 1.105, (1.11, 1.1101), (1.1049, 1.105)),
        (T.SELL_STOP_LIMIT, 1.09, 1.095, (1.09, 1.0901), (1.095, 1.0951)),
    ],
)
def test_stop_limit_orders_become_limit_orders(
    kind: int,
    price: float,
    limit: float,
    trigger: tuple[float, float],
    fill: tuple[float, float],
) -> None:
    """At the stop price the same ticket turns into a limit order, which fills as one."""
    bench = Bench()
    ticket = bench.send(pending(kind, price, stoplimit=limit)).order
    bench.move(*trigger)
    [order] = bench.broker.orders()
    assert (order.ticket, order.price_open, order.price_stoplimit) == (ticket, limit, 0.0)
    assert order.type == (T.BUY_LIMIT if kind == T.BUY_STOP_LIMIT else T.SELL_LIMIT)
    bench.move(*fill)
    assert [one.price_open for one in bench.broker.positions()] == [limit]


def test_stops_of_a_pending_order_go_to_its_position() -> None:
    """SL, TP, magic and comment travel along."""
    bench = Bench()
    request = pending(T.BUY_LIMIT, 1.09, sl=1.08, tp=1.1, magic=7, comment="grid")
    bench.send(request)
    bench.move(1.0899, 1.09)
    [one] = bench.broker.positions()
    assert (one.sl, one.tp, one.magic, one.comment) == (1.08, 1.1, 7, "grid")


def test_an_activated_order_without_money_is_rejected() -> None:
    """Margin is checked again when the price comes."""
    bench = Bench()
    ticket = bench.send(pending(T.BUY_LIMIT, 1.09, 10.0)).order
    bench.move(1.0899, 1.09)
    assert past(bench, ticket).state == OrderState.REJECTED
    assert bench.broker.positions() == []


STOPS = [
    # side, sl, tp, tick that must not, tick that must, fill, reason, comment
    ("buy", 1.09, 0.0, (1.09001, 1.0901), (1.09, 1.0901), 1.09, DealReason.SL, "[sl 1.09000]"),
    ("buy", 1.09, 0.0, (1.095, 1.0951), (1.05, 1.0501), 1.05, DealReason.SL, "[sl 1.09000]"),
    ("buy", 0.0, 1.11, (1.10999, 1.112), (1.11, 1.1101), 1.11, DealReason.TP, "[tp 1.11000]"),
    ("sell", 1.11, 0.0, (1.109, 1.10999), (1.109, 1.11), 1.11, DealReason.SL, "[sl 1.11000]"),
    ("sell", 0.0, 1.09, (1.089, 1.09001), (1.089, 1.09), 1.09, DealReason.TP, "[tp 1.09000]"),
]


@pytest.mark.parametrize(
    ("side", "sl", "tp", "before", "at", "filled", "reason", "comment"), STOPS
)
def test_stops_of_a_position_close_it(
    side: str,
    sl: float,
    tp: float,
    before: tuple[float, float],
    at: tuple[float, float],
    filled: float,
    reason: int,
    comment: str,
) -> None:
    """Long positions look at the bid, short ones at the ask; deal and order say why."""
    bench = Bench()
    ticket = getattr(bench, side)(sl=sl, tp=tp, magic=5).position
    bench.move(*before)
    assert len(bench.broker.positions()) == 1
    bench.move(*at)
    assert bench.broker.positions() == []
    deal = bench.broker.history_deals(position=ticket)[-1]
    assert (deal.price, deal.reason, deal.comment) == (filled, reason, comment)
    assert (deal.entry, deal.magic) == (DealEntry.OUT, 5)
    assert past(bench, deal.order).reason == reason


def test_changed_stops_are_the_ones_that_count() -> None:
    """0 takes a stop away."""
    bench = Bench()
    ticket = bench.buy(sl=1.09, tp=1.11).position
    assert bench.send(stops(ticket, sl=1.05)).retcode == TradeRetcode.DONE
    bench.move(1.12)
    bench.move(1.06)
    assert len(bench.broker.positions()) == 1
    bench.move(1.05)
    assert bench.broker.positions() == []


def test_modified_order_waits_at_its_new_price() -> None:
    """Price, stops and lifetime change; the ticket stays."""
    bench = Bench()
    ticket = bench.send(pending(T.BUY_LIMIT, 1.09)).order
    request = TradeRequest(action=TradeAction.MODIFY, order=ticket, price=1.08, sl=1.07)
    assert bench.send(request).retcode == TradeRetcode.DONE
    bench.move(1.085)
    [order] = bench.broker.orders()
    assert (order.ticket, order.price_open, order.sl) == (ticket, 1.08, 1.07)
    bench.move(1.08)
    assert [one.sl for one in bench.broker.positions()] == [1.07]


def test_a_removed_order_is_canceled_in_the_history() -> None:
    """And no longer open."""
    bench = Bench()
    ticket = bench.send(pending(T.BUY_LIMIT, 1.09)).order
    assert bench.send(remove(ticket)).retcode == TradeRetcode.DONE
    assert bench.broker.orders() == []
    order = past(bench, ticket)
    assert (order.state, order.volume_current) == (OrderState.CANCELED, 0.1)


MIDNIGHT = (NOW // DAY + 1) * DAY
LIFETIMES = [
    (OrderTime.DAY, 0, MIDNIGHT),
    (OrderTime.SPECIFIED, NOW // 1000 + 3600, NOW + HOUR),
    (OrderTime.SPECIFIED_DAY, NOW // 1000 + 86_400, MIDNIGHT + DAY),
]


@pytest.mark.parametrize(("lifetime", "expiration", "ends_msc"), LIFETIMES)
def test_pending_orders_expire(lifetime: int, expiration: int, ends_msc: int) -> None:
    """DAY ends at midnight, SPECIFIED at its second, SPECIFIED_DAY when that day is over."""
    bench = Bench()
    request = pending(T.BUY_LIMIT, 1.09, type_time=lifetime, expiration=expiration)
    ticket = bench.send(request).order
    bench.broker.on_time(ends_msc - 1)
    assert len(bench.broker.orders()) == 1
    bench.broker.on_time(ends_msc)
    assert past(bench, ticket).state == OrderState.EXPIRED


def test_metatrader_4_wants_ten_minutes_at_least() -> None:
    """A shorter life is "invalid trade parameters" there (error 3), as servers answer it; what an
    order has of it already it keeps. MetaTrader 5 takes any."""
    soon, later = NOW // 1000 + 599, NOW // 1000 + 600
    modern, bench = Bench(), Bench(platform="mt4")

    def asked(expiration: int) -> TradeRequest:
        return pending(T.BUY_LIMIT, 1.09, type_time=OrderTime.SPECIFIED, expiration=expiration)

    assert modern.send(asked(soon)).retcode == TradeRetcode.DONE
    assert bench.send(asked(soon)).retcode == TradeRetcode.INVALID
    placed = bench.send(asked(later))
    assert placed.retcode == TradeRetcode.DONE
    bench.now += HOUR // 12
    change = replace(asked(later), action=TradeAction.MODIFY, order=placed.order, price=1.08)
    assert bench.send(replace(change, expiration=later - 1)).retcode == TradeRetcode.INVALID
    assert bench.send(change).retcode == TradeRetcode.DONE


def test_symbols_of_the_day_lose_orders_and_stops_at_midnight() -> None:
    """``SYMBOL_ORDERS_DAILY`` takes both, ``..._DAILY_EXCLUDING_STOPS`` the orders alone."""
    for mode, kept in ((1, 0.0), (2, 1.05)):
        bench = Bench()
        bench.market.change("EURUSD", order_gtc_mode=mode)
        bench.buy(sl=1.05)
        bench.send(pending(T.BUY_LIMIT, 1.09))
        bench.broker.on_time(MIDNIGHT)
        assert bench.broker.orders() == []
        assert [one.sl for one in bench.broker.positions()] == [kept]


def test_ioc_takes_what_there_is() -> None:
    """10010; the order ends partly filled."""
    bench = Bench()
    bench.broker.script.volumes.append(0.3)
    result = bench.buy(1.0)
    assert (result.retcode, result.volume) == (TradeRetcode.DONE_PARTIAL, 0.3)
    order = past(bench, result.order)
    assert (order.state, order.volume_current) == (OrderState.PARTIAL, 0.7)
    assert [one.volume for one in bench.broker.positions()] == [0.3]


@pytest.mark.parametrize("mode", [0, 2])
def test_return_leaves_the_rest_in_the_market(mode: int) -> None:
    """The rest fills with later ticks, into the same position at the average price."""
    bench = Bench(mode=mode)
    bench.market.change("EURUSD", trade_exemode=3)
    bench.broker.script.volumes.append(0.25)
    result = bench.buy(1.0, type_filling=OrderFilling.RETURN)
    assert result.retcode == TradeRetcode.DONE_PARTIAL
    [order] = bench.broker.orders()
    assert (order.state, order.volume_current) == (OrderState.PARTIAL, 0.75)
    bench.move(1.1011, 1.1021)
    [position] = bench.broker.positions()
    assert (position.ticket, position.volume) == (result.order, 1.0)
    assert position.price_open == pytest.approx((1.1001 + 3 * 1.1021) / 4)
    assert past(bench, result.order).state == OrderState.FILLED


def test_offered_volume_stays_on_the_step() -> None:
    """An offer of 0.019 lots fills 0.01."""
    bench = Bench()
    bench.broker.script.volumes.append(0.019)
    assert bench.buy(1.0).volume == 0.01


def test_a_stop_order_with_ioc_drops_what_it_cannot_fill() -> None:
    """The rest of a triggered IOC order does not wait."""
    bench = Bench()
    ticket = bench.send(pending(T.BUY_STOP, 1.11, 1.0, type_filling=OrderFilling.IOC)).order
    bench.broker.script.volumes.append(0.4)
    bench.move(1.11, 1.1101)
    assert bench.broker.orders() == []
    assert past(bench, ticket).state == OrderState.PARTIAL
    assert [one.volume for one in bench.broker.positions()] == [0.4]


def test_a_delayed_order_is_placed_first_and_filled_later() -> None:
    """10008, then the deal at the price of its time."""
    bench = Bench()
    bench.broker.script.delays_ms.append(3000)
    result = bench.buy()
    assert (result.retcode, result.deal) == (TradeRetcode.PLACED, 0)
    bench.move(1.101, 1.1011)
    assert bench.broker.positions() == []
    bench.broker.on_time(NOW + 3000)
    [position] = bench.broker.positions()
    assert (position.ticket, position.price_open) == (result.order, 1.1011)
    assert bench.broker.orders() == []


def test_a_delayed_close_of_a_closed_position_is_canceled() -> None:
    """A stop may close the position first."""
    bench = Bench()
    ticket = bench.buy(sl=1.09).position
    bench.broker.script.delays_ms.append(60_000)
    order = bench.sell(position=ticket).order
    bench.move(1.08)
    assert bench.broker.positions() == []
    bench.broker.on_time(NOW + 120_000)
    assert past(bench, order).state == OrderState.CANCELED
    assert bench.broker.positions() == []


def test_comments_are_cut_and_may_be_rewritten() -> None:
    """31 characters are kept; a broker may write its own."""
    bench = Bench()
    bench.buy(comment="x" * 40)
    bench.broker.script.rewrite_comment = lambda comment: f"#{comment}"
    bench.buy(comment="mine")
    assert [one.comment for one in bench.broker.positions()] == ["x" * 31, "#mine"]


def test_events_tell_a_fill_in_metatraders_order() -> None:
    """Order, deal, position, order gone; then the same for the closing deal."""
    bench = Bench()
    position = bench.buy().position
    bench.sell(position=position)
    told = [
        (event.op, next(n for n in ("order", "deal", "position") if getattr(event, n)))
        for event in bench.broker.take_events()
    ]
    assert told == [
        ("add", "order"),
        ("add", "deal"),
        ("add", "position"),
        ("remove", "order"),
        ("add", "order"),
        ("add", "deal"),
        ("remove", "position"),
        ("remove", "order"),
    ]
    assert bench.broker.take_events() == []


def test_a_tick_without_prices_triggers_nothing() -> None:
    """The first tick after a subscription may be empty."""
    bench = Bench()
    bench.buy(sl=1.09)
    bench.move(0.0)
    assert len(bench.broker.positions()) == 1


def test_nothing_is_filled_outside_the_session() -> None:
    """Orders and stops wait for the first tick of the next session."""
    bench = Bench()
    bench.buy(sl=1.09)
    bench.send(pending(T.BUY_LIMIT, 1.08))
    bench.market.closed.add("EURUSD")
    bench.move(1.07)
    assert (len(bench.broker.positions()), len(bench.broker.orders())) == (1, 1)
    bench.market.closed.clear()
    bench.move(1.07)
    assert bench.broker.orders() == []
    assert [one.price_open for one in bench.broker.positions()] == [1.07]
