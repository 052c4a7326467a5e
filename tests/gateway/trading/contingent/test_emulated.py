"""The prices at which a held order is triggered, and at which its limit order is taken."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec.structs import replace

from ea_bridge.model import Order, OrderType
from gateway.trading.contingent.emulated import is_due, is_reached, takes_limit, with_ticket
from gateway.trading.contingent.records import HeldOrder
from gateway.trading.journal import AccountKey

BUY = Order(
    ticket=1,
    type=OrderType.BUY_STOP_LIMIT,
    symbol="EURUSD",
    price_open=1.2,
    price_stoplimit=1.19,
    volume_initial=0.1,
)
SELL = replace(BUY, type=OrderType.SELL_STOP_LIMIT, price_stoplimit=1.21)


def held(order: Order, stage: Literal["waiting", "triggered", "sending"] = "waiting") -> HeldOrder:
    return HeldOrder(
        account=AccountKey(1, "S"),
        tid="t",
        client_order_id="a",
        order=order,
        words="",
        created_ms=0,
        stage=stage,
    )


@pytest.mark.parametrize(
    ("order", "bid", "ask", "reached"),
    [
        (BUY, 1.1999, 1.2, True),
        (BUY, 1.2, 1.1999, False),
        (SELL, 1.2, 1.2001, True),
        (SELL, 1.2001, 1.2, False),
    ],
)
def test_a_buy_is_triggered_by_the_ask_and_a_sell_by_the_bid(
    order: Order, bid: float, ask: float, reached: bool
) -> None:
    assert is_reached(order, bid, ask) is reached
    assert is_due(held(order), bid, ask) is reached


@pytest.mark.parametrize(
    ("order", "bid", "ask", "taken"),
    [
        (BUY, 1.18, 1.1901, True),
        (BUY, 1.18, 1.19, False),
        (SELL, 1.2099, 1.22, True),
        (SELL, 1.21, 1.22, False),
    ],
)
def test_a_triggered_order_waits_for_the_side_from_which_its_limit_is_taken(
    order: Order, bid: float, ask: float, taken: bool
) -> None:
    """A gap may have passed the limit already."""
    assert takes_limit(order, bid, ask) is taken
    assert is_due(held(order, "triggered"), bid, ask) is taken


def test_what_is_being_sent_is_due_at_any_price() -> None:
    """The attempt is on the disk: it has to be known what became of it."""
    assert is_due(held(BUY, "sending"), 0.5, 0.5)


def test_a_row_gives_its_order_the_ticket() -> None:
    assert with_ticket(held(BUY), 42).order == replace(BUY, ticket=42)
