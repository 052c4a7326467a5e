"""Changing, cancelling and closing what is there; calculations."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import BROKER_NOW_S, DONE, EURUSD, NOW_MS, ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge.model import TradeResult
from gateway import errors


async def test_modify_keeps_what_is_absent_and_removes_what_is_null(scene: Scene) -> None:
    """The three ways of a stop: absent, null, a price."""
    await scene.ask("modify_order", ticket=ORDER.ticket, sl=None, price=1.081)
    (request,) = scene.script.sent
    assert (request.action, request.order) == (7, ORDER.ticket)
    assert (request.price, request.sl, request.tp) == (1.081, 0.0, 1.09)
    assert (request.type_time, request.expiration) == (0, 0)


async def test_modify_expiration(scene: Scene) -> None:
    """A new end makes a lifetime with an end; `gtc` takes it away."""
    await scene.ask("modify_order", ticket=ORDER.ticket, expiration=NOW_MS + 60_000)
    ends = replace(ORDER, type_time=3, time_expiration=BROKER_NOW_S + 60)
    scene.script.answers["orders_get"] = [ends]
    await scene.ask("modify_order", ticket=ORDER.ticket, sl=1.07)
    await scene.ask("modify_order", ticket=ORDER.ticket, type_time="gtc")
    given, kept, removed = scene.script.sent
    assert (given.type_time, given.expiration) == (2, BROKER_NOW_S + 60)
    assert (kept.type_time, kept.expiration) == (3, BROKER_NOW_S + 60)
    assert (removed.type_time, removed.expiration) == (0, 0)


async def test_modify_changes_a_positions_stops(scene: Scene) -> None:
    """With the same method; `order` and `state` are about orders and null."""
    receipt = await scene.ask("modify_order", ticket=POSITION.ticket, tp=1.1)
    (request,) = scene.script.sent
    assert (request.action, request.position) == (6, POSITION.ticket)
    assert (request.sl, request.tp) == (1.08, 1.1)
    assert receipt["order"]["state"] is None
    assert receipt["order"]["position"] == DONE.position


async def test_a_position_has_stops_alone(scene: Scene) -> None:
    """A price for a position is refused, and so is nothing at all."""
    for params in ({"price": 1.09}, {"type_time": "day"}):
        with pytest.raises(errors.InvalidParams):
            await scene.ask("modify_order", ticket=POSITION.ticket, **params)
    with pytest.raises(errors.InvalidParams):
        await scene.ask("modify_order", ticket=POSITION.ticket)
    assert scene.script.sent == []


async def test_target_tells_an_order_from_its_position(scene: Scene) -> None:
    """A partly filled order and its position share a ticket: `target` chooses."""
    scene.script.answers["positions_get"] = [replace(POSITION, ticket=ORDER.ticket)]
    await scene.ask("modify_order", ticket=ORDER.ticket, sl=1.07)
    await scene.ask("modify_order", ticket=ORDER.ticket, sl=1.07, target="position")
    assert [request.action for request in scene.script.sent] == [7, 6]


async def test_nothing_to_change_is_no_error(scene: Scene) -> None:
    """10025 is a success that changed nothing."""
    scene.script.answers["order_send"] = TradeResult(retcode=10025)
    receipt = await scene.ask("modify_order", ticket=ORDER.ticket, sl=1.075)
    assert (receipt["sent"], receipt["changed"]) == (True, False)
    assert receipt["order"]["retcode_name"] == "TRADE_RETCODE_NO_CHANGES"


async def test_cancel(scene: Scene) -> None:
    """The order's ticket and its final state; one that is gone is 2009, not sent."""
    scene.script.answers["order_send"] = TradeResult(retcode=10009)
    receipt = await scene.ask("cancel_order", ticket=ORDER.ticket)
    assert (receipt["order"]["order"], receipt["order"]["state"]) == (ORDER.ticket, "canceled")
    assert (scene.script.sent[0].action, scene.script.sent[0].order) == (8, ORDER.ticket)
    with pytest.raises(errors.OrderNotFound) as refused:
        await scene.ask("cancel_order", ticket=1)
    assert (refused.value.data["ticket"], refused.value.data["outcome"]) == (1, "not_sent")


async def test_modify_or_cancel_nothing(scene: Scene) -> None:
    """Neither an order nor a position."""
    with pytest.raises(errors.OrderNotFound) as refused:
        await scene.ask("modify_order", ticket=1, sl=1.0)
    assert refused.value.data["outcome"] == "not_sent"


async def test_filled_or_removed_a_moment_before(scene: Scene) -> None:
    """10035 for an order that is not there any more: the order was not found, and so says 2009."""
    scene.script.answers["order_send"] = TradeResult(retcode=10035)
    changes: dict[str, dict[str, Any]] = {"cancel_order": {}, "modify_order": {"sl": 1.07}}
    for method, more in changes.items():
        with pytest.raises(errors.OrderNotFound) as caught:
            await scene.ask(method, ticket=ORDER.ticket, **more)
        assert caught.value.data["outcome"] == "rejected"
        assert caught.value.data["ticket"] == ORDER.ticket


async def test_close_all_of_a_position(scene: Scene) -> None:
    """An opposite deal that names the position, with its magic and all of its volume."""
    receipt = await scene.ask("close_position", ticket=POSITION.ticket)
    (request,) = scene.script.sent
    assert (request.action, request.type, request.position) == (1, 1, POSITION.ticket)
    assert (request.volume, request.price, request.magic) == (0.1, EURUSD.bid, 7)
    assert receipt["order"]["side"] == "sell"


async def test_close_a_part(scene: Scene) -> None:
    """On the grid, and no more than is open."""
    await scene.ask("close_position", ticket=POSITION.ticket, volume=0.04)
    assert scene.script.sent[0].volume == 0.04
    with pytest.raises(errors.InvalidVolume) as refused:
        await scene.ask("close_position", ticket=POSITION.ticket, volume=0.11)
    assert refused.value.data["open"] == 0.1


async def test_close_what_no_longer_fits_the_grid(scene: Scene) -> None:
    """All of a position can be closed, whatever the symbol's step has become."""
    scene.script.answers["positions_get"] = [replace(POSITION, volume=0.015)]
    await scene.ask("close_position", ticket=POSITION.ticket)
    assert scene.script.sent[0].volume == 0.015


async def test_close_what_is_not_there(scene: Scene) -> None:
    """2010, not sent."""
    with pytest.raises(errors.PositionNotFound) as refused:
        await scene.ask("close_position", ticket=1)
    assert refused.value.data["outcome"] == "not_sent"


async def test_close_by(scene: Scene) -> None:
    """Both tickets go out; the smaller volume is what is closed."""
    opposite = replace(POSITION, ticket=5, type=1, volume=0.3)
    scene.script.answers["positions_get"] = lambda p: [opposite if p.ticket == 5 else POSITION]
    receipt = await scene.ask("close_by", position=POSITION.ticket, position_by=5)
    (request,) = scene.script.sent
    assert (request.action, request.position, request.position_by) == (10, POSITION.ticket, 5)
    assert request.volume == 0.1
    assert (receipt["order"]["type"], receipt["order"]["filled_volume"]) == ("close_by", 0.1)


async def test_netting_has_nothing_to_close_by() -> None:
    """Said as the lack of a capability, before anything is asked."""
    scene = Scene(mode="netting")
    with pytest.raises(errors.MethodNotSupported) as refused:
        await scene.ask("close_by", position=1, position_by=2)
    assert refused.value.data["capability"] == "hedging"


async def test_calculations(scene: Scene) -> None:
    """The market's price unless one is given; either name of the direction."""
    margin = await scene.ask("order_calc_margin", symbol="EURUSD", side="sell", volume=0.1)
    assert margin == {"margin": 108.55, "currency": "USD"}
    assert scene.script.asked_for("order_calc_margin")[0].price == EURUSD.bid
    profit = await scene.ask(
        "order_calc_profit",
        symbol="EURUSD",
        type="ORDER_TYPE_BUY",
        volume=0.1,
        price_open=1.08,
        price_close=1.085,
    )
    assert profit == {"profit": 50.0, "currency": "USD"}
    none_and_both: list[dict[str, Any]] = [{}, {"side": "buy", "type": "sell"}]
    for sides in none_and_both:
        with pytest.raises(errors.InvalidParams):
            await scene.ask("order_calc_margin", symbol="EURUSD", volume=0.1, **sides)
