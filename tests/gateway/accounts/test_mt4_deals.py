"""MetaTrader 4's trades, told as deals."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ea_bridge.model import Order, OrderState, OrderType, Position
from gateway.accounts.api.reads import deals_of

CLOSED = Order(
    ticket=7,
    symbol="EURUSD",
    type=OrderType.SELL,
    state=OrderState.FILLED,
    time_setup=100,
    time_done=200,
    volume_initial=0.1,
    price_open=1.1,
    price_current=1.2,
    profit=-10.0,
    swap=-0.5,
    commission=-0.7,
)
OPEN = Position(ticket=8, symbol="EURUSD", type=0, volume=0.2, price_open=1.15, time=150)


def numbers(*span: int, past: list[Order], positions: list[Position]) -> list[tuple[int, int]]:
    return [(one.ticket, one.entry) for one in deals_of(past, positions, *span)]


def test_each_deal_is_told_at_its_own_time() -> None:
    """A trade that was opened before the time that is asked for was closed within it."""
    both: dict[str, Any] = {"past": [CLOSED], "positions": [OPEN]}
    assert numbers(0, 300, **both) == [(7, 0), (8, 0), (7, 1)]
    assert numbers(101, 300, **both) == [(8, 0), (7, 1)]
    assert numbers(100, 199, **both) == [(7, 0), (8, 0)]
    assert numbers(151, 300, **both) == [(7, 1)]


def test_the_way_out_has_the_money() -> None:
    """And goes the other way; nothing is counted twice."""
    way_in, way_out = deals_of([CLOSED], [], 0, 300)
    assert (way_in.profit, way_in.swap, way_in.commission) == (0.0, 0.0, 0.0)
    assert (way_out.profit, way_out.swap, way_out.commission) == (-10.0, -0.5, -0.7)
    assert (way_in.type, way_out.type) == (1, 0)
    assert (way_in.price, way_out.price) == (1.1, 1.2)
    assert (way_in.time_msc, way_out.time_msc) == (100_000, 200_000)


def test_what_was_closed_between_two_answers_is_one_trade() -> None:
    """It is in both of them."""
    still = replace(OPEN, ticket=7, time=100)
    assert numbers(0, 300, past=[CLOSED], positions=[still]) == [(7, 0), (7, 1)]


def test_what_was_no_trade_is_no_deal() -> None:
    """Deleted orders; balance operations have no place in a list of trades."""
    deleted = replace(CLOSED, state=OrderState.CANCELED, type=OrderType.BUY_LIMIT)
    assert deals_of([deleted, replace(CLOSED, type=6)], [], 0, 300) == []
