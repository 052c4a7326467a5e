"""Rules of an order's direction, volume and prices."""

from __future__ import annotations

from decimal import Decimal

import pytest
from scripted_answers import EURUSD, POSITION

from ea_bridge.model import OrderType, PositionType, TradeAction, TradeRequest
from gateway.trading.requests import Deadline, ExecutionOptions, PreparedOrder
from gateway.trading.risk import facts

OPTIONS = ExecutionOptions(client_order_id="a", deadline=Deadline.of(lambda: 0, None, None))


def prepared(action: TradeAction, type_: int, **more: float) -> PreparedOrder:
    request = TradeRequest(action=int(action), symbol="EURUSD", type=int(type_), **more)  # type: ignore[arg-type]  # numbers by name
    return PreparedOrder(request=request, options=OPTIONS, symbol=EURUSD)


@pytest.mark.parametrize("type_", OrderType)
def test_the_direction_of_an_order(type_: OrderType) -> None:
    """Each pending kind comes down to a market order of its side."""
    if type_ is OrderType.CLOSE_BY:
        return
    order = prepared(TradeAction.PENDING, type_)
    expected = OrderType.BUY if type_.name.startswith("BUY") else OrderType.SELL
    assert facts.direction(order) is expected


def test_a_buy_is_filled_at_the_ask_and_a_sale_at_the_bid() -> None:
    """Without a symbol there is no quote."""
    buy, sale = (prepared(TradeAction.DEAL, one) for one in (OrderType.BUY, OrderType.SELL))
    assert (facts.market(buy), facts.market(sale)) == (EURUSD.ask, EURUSD.bid)
    assert facts.market(PreparedOrder(request=buy.request, options=OPTIONS)) == 0.0


def test_an_entry_lies_where_the_position_begins() -> None:
    """At the market, at the order's price, or at the limit of one that a stop triggers."""
    at_market = prepared(TradeAction.DEAL, OrderType.BUY)
    assert facts.entry(at_market) == EURUSD.ask
    pending = prepared(TradeAction.PENDING, OrderType.BUY_LIMIT, price=1.05)
    assert facts.entry(pending) == 1.05
    triggered = prepared(TradeAction.PENDING, OrderType.BUY_STOP_LIMIT, price=1.2, stoplimit=1.19)
    assert facts.entry(triggered) == 1.19


def test_a_change_is_about_what_it_changes() -> None:
    """The request for new stops carries neither volume nor direction of its own."""
    request = TradeRequest(action=int(TradeAction.SLTP), symbol="EURUSD", sl=1.0)
    change = PreparedOrder(request=request, options=OPTIONS, changes=POSITION)
    assert facts.buys(change) is (POSITION.type == PositionType.BUY)
    assert facts.volume(change) == Decimal(str(POSITION.volume))
    assert facts.entry(change) == POSITION.price_open
