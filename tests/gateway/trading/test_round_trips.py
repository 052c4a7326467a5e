"""Rules of round trips: positions of the past, put together from their deals."""

from __future__ import annotations

import pytest

from ea_bridge.model import Deal, DealEntry, DealType, Order, OrderState, OrderType
from gateway.broker_time.clock import BrokerClock
from gateway.trading.history import closes, history_position, is_closed_trade, round_trips

BUY, SELL = DealType.BUY, DealType.SELL
IN, OUT, REVERSE = DealEntry.IN, DealEntry.OUT, DealEntry.INOUT


def deal(ticket: int, type_: DealType, entry: DealEntry, volume: float, **more: float) -> Deal:
    return Deal(
        ticket=ticket,
        type=int(type_),
        entry=int(entry),
        volume=volume,
        price=more.get("price", 1.0),
        profit=more.get("profit", 0.0),
        position_id=7,
        symbol="EURUSD",
        time=100 + ticket,
    )


def test_a_position_is_over_once_all_of_it_is_closed() -> None:
    """Tenths add up exactly."""
    opened = [deal(1, BUY, IN, 0.1), deal(2, BUY, IN, 0.2), deal(3, SELL, OUT, 0.2)]
    (trip,) = round_trips(opened)
    assert not trip.is_over
    (trip,) = round_trips([*opened, deal(4, SELL, OUT, 0.1)])
    assert trip.is_over


def test_a_reversal_ends_one_round_trip_and_begins_the_next() -> None:
    """The same deal is in both; its money belongs to the one that it ended."""
    deals = [
        deal(1, BUY, IN, 0.1, price=1.1),
        deal(2, SELL, REVERSE, 0.3, price=1.2, profit=10.0),
        deal(3, BUY, OUT, 0.2, price=1.3, profit=-20.0),
    ]
    first, second = round_trips(deals)
    assert (first.is_over, second.is_over) == (True, True)
    ended, begun = (history_position(trip, BrokerClock()) for trip in (first, second))
    assert (ended["volume"], ended["profit"], ended["price_close"]) == (0.1, 10.0, 1.2)
    assert (begun["volume"], begun["profit"], begun["price_open"]) == (0.2, -20.0, 1.2)
    assert (ended["deals"], begun["deals"]) == ([1, 2], [2, 3])


def test_the_average_price_is_weighted_by_volume() -> None:
    """Of the deals that opened, and of those that closed."""
    deals = [
        deal(1, BUY, IN, 0.1, price=1.0),
        deal(2, BUY, IN, 0.3, price=2.0),
        deal(3, SELL, OUT, 0.4, price=3.0),
    ]
    (trip,) = round_trips(deals)
    position = history_position(trip, BrokerClock())
    assert (position["price_open"], position["price_close"]) == (1.75, 3.0)


def test_a_close_without_its_opening_is_never_over() -> None:
    """The terminal may no longer know the deals that opened it."""
    (trip,) = round_trips([deal(1, SELL, OUT, 0.1)])
    assert not trip.is_over


def test_deposits_are_no_part_of_a_position() -> None:
    """Nor does one close anything."""
    deposit = deal(1, DealType.BALANCE, IN, 0.0)
    assert round_trips([deposit]) == []
    assert not closes(deposit)


@pytest.mark.parametrize(
    ("type_", "state", "is_trade"),
    [
        (OrderType.BUY, OrderState.FILLED, True),
        (OrderType.SELL, OrderState.FILLED, True),
        (OrderType.BUY_LIMIT, OrderState.FILLED, False),
        (OrderType.BUY, OrderState.CANCELED, False),
    ],
)
def test_a_closed_trade_of_metatrader_4(
    type_: OrderType, state: OrderState, is_trade: bool
) -> None:
    """Only a filled market order is one; a pending order that was deleted is none."""
    order = Order(ticket=1, symbol="EURUSD", type=int(type_), state=int(state))
    assert is_closed_trade(order) is is_trade
