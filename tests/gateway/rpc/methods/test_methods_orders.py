"""Orders and positions: what is sent, what is answered, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import DEAL, DONE, EURUSD, NOW_MS, OFFSET_MS, ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge.errors import CommandFailed
from ea_bridge.model import TradeResult
from gateway import errors

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


async def test_the_contracts_example(scene: Scene) -> None:
    """The call in the protocol's page, and what it answers."""
    receipt = await scene.ask(
        "place_order",
        symbol="EURUSD",
        side="buy",
        type="market",
        volume=0.10,
        sl=1.0800,
        tp=1.0950,
        client_order_id="grid-000042",
        ttl_ms=3000,
        max_deviation_points=10,
    )
    order = receipt["order"]
    assert (receipt["sent"], receipt["changed"]) == (True, True)
    assert (order["order"], order["deal"], order["position"]) == (
        9123456791,
        8123456702,
        9123456791,
    )
    assert order["client_order_id"] == "grid-000042"
    assert (order["side"], order["type"], order["state"]) == ("buy", "buy", "filled")
    assert (order["filled_volume"], order["avg_price"]) == (0.1, 1.08554)
    assert (order["retcode"], order["retcode_name"]) == (10009, "TRADE_RETCODE_DONE")
    assert receipt["filling"] == {"chosen": "fok", "tried": ["fok"]}
    (request,) = scene.script.sent
    assert (request.action, request.type, request.volume) == (1, 0, 0.1)
    assert (request.price, request.sl, request.tp) == (1.08554, 1.08, 1.095)
    assert request.deviation == 10
    assert scene.script.ttl_ms[-1] == 3000


@pytest.mark.parametrize(
    ("params", "number"),
    [
        ({"side": "buy"}, 0),
        ({"side": "sell", "type": "market"}, 1),
        ({"type": "buy"}, 0),
        ({"type": "BUY"}, 0),
        ({"type": "ORDER_TYPE_SELL"}, 1),
        ({"type": 1}, 1),
        ({"type": "buy_limit", "price": 1.08}, 2),
        ({"type": 3, "price": 1.09}, 3),
        ({"side": "buy", "type": "stop", "price": 1.09}, 4),
        ({"side": "SELL", "type": "STOP", "price": 1.08}, 5),
        ({"side": 0, "type": "stop_limit", "price": 1.09, "stoplimit": 1.089}, 6),
        ({"type": "sell_stop_limit", "price": 1.08, "stoplimit": 1.081}, 7),
        ({"type": "buy", "side": "buy"}, 0),
    ],
)
async def test_every_way_to_say_what_kind(
    scene: Scene, params: dict[str, Any], number: int
) -> None:
    """Side and kind apart, in one word, in MetaTrader's words and numbers."""
    await scene.ask("place_order", symbol="EURUSD", volume=0.1, **params)
    (request,) = scene.script.sent
    assert request.type == number
    assert request.action == (1 if number < 2 else 5)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "side"),
        ({"type": "limit", "price": 1.08}, "side"),
        ({"type": "buy_limit", "side": "sell", "price": 1.08}, "side"),
        ({"type": "buy_limit"}, "price"),
        ({"type": "buy_stop_limit", "price": 1.08}, "stoplimit"),
        ({"type": "buy_limit", "price": 1.08, "stoplimit": 1.07}, "stoplimit"),
        ({"type": "buy_limit", "price": 1.08, "type_time": "specified"}, "expiration"),
        (
            {"type": "buy_limit", "price": 1.08, "type_time": "gtc", "expiration": NOW_MS},
            "expiration",
        ),
        ({"type": "buy", "expiration": NOW_MS}, "expiration"),
        ({"side": "buy", "deviation": 5, "max_deviation_points": 6}, "max_deviation_points"),
        ({"side": "hold"}, "side"),
        ({"side": "buy", "type": "close_by"}, "type"),
        ({"side": "buy", "type": 8}, "type"),
        ({"side": "buy", "type": True}, "type"),
        ({"side": "buy", "volume": 0}, "volume"),
        ({"side": "buy", "volume": -1}, "volume"),
        ({"side": "buy", "volume": "nan"}, "volume"),
        ({"side": "buy", "volume": "1e400"}, "volume"),
        ({"side": "buy", "volume": 1e300}, "volume"),
        ({"side": "buy", "volume": True}, "volume"),
        ({"side": "buy", "volume": None}, "volume"),
        ({"side": "buy", "volume": float("inf")}, "volume"),
        ({"side": "buy", "sl": -1}, "sl"),
        ({"side": "buy", "magic": -1}, "magic"),
        ({"side": "buy", "magic": 1.5}, "magic"),
        ({"side": "buy", "client_order_id": "a b"}, "client_order_id"),
        ({"side": "buy", "client_order_id": ""}, "client_order_id"),
        ({"side": "buy", "client_order_id": "x" * 65}, "client_order_id"),
        ({"side": "buy", "client_order_id": "x\n"}, "client_order_id"),
        ({"side": "buy", "ttl_ms": 0}, "ttl_ms"),
        ({"side": "buy", "deadline_ms": 1_780_000_000}, "deadline_ms"),
        ({"side": "buy", "comment": "a\nb"}, "comment"),
        ({"side": "buy", "type_filling": "all"}, "type_filling"),
        ({"side": "buy", "lots": 1}, "lots"),
    ],
)
async def test_what_makes_no_order(scene: Scene, params: dict[str, Any], field: str) -> None:
    """Each is refused with the field's name, and nothing reaches the market."""
    with pytest.raises(errors.InvalidParams) as refused:
        await scene.ask("place_order", **{"symbol": "EURUSD", "volume": 0.1, **params})
    assert refused.value.data["errors"][0]["field"].partition(".")[0] == field
    assert refused.value.data["outcome"] == "not_sent"
    assert scene.script.sent == []


async def test_sum_of_binary_fractions_lies_on_the_grid(scene: Scene) -> None:
    """0.1 + 0.2 means 0.3, whatever the double says; a string is taken at its word."""
    await scene.ask("place_order", symbol="EURUSD", side="buy", volume=0.1 + 0.2)
    assert scene.script.sent[0].volume == 0.3
    with pytest.raises(errors.InvalidVolume):
        await scene.ask("place_order", symbol="EURUSD", side="buy", volume="0.30000000000000004")


async def test_numbers_as_strings(scene: Scene) -> None:
    """The answer is the same."""
    await scene.ask("place_order", symbol="EURUSD", side="buy", volume="0.10", sl="1.08000")
    assert (scene.script.sent[0].volume, scene.script.sent[0].sl) == (0.1, 1.08)


@pytest.mark.parametrize("volume", [0.001, 0.015, 50.01, 1000])
async def test_volume_off_the_grid_is_refused_with_the_grid(scene: Scene, volume: float) -> None:
    """Nothing is rounded silently, and nothing is sent."""
    with pytest.raises(errors.InvalidVolume) as refused:
        await scene.ask("place_order", **{**BUY, "volume": volume})
    data = refused.value.data
    assert (data["min"], data["max"], data["step"]) == (0.01, 50.0, 0.01)
    assert data["outcome"] == "not_sent"
    assert scene.script.sent == []


@pytest.mark.parametrize("name", ["price", "sl", "tp"])
async def test_price_off_the_grid_is_refused_with_the_grid(scene: Scene, name: str) -> None:
    """The error says which price."""
    params: dict[str, Any] = {
        "symbol": "EURUSD",
        "type": "buy_limit",
        "volume": 0.1,
        "price": 1.08,
    }
    with pytest.raises(errors.InvalidPrice) as refused:
        await scene.ask("place_order", **{**params, name: "1.080005"})
    data = refused.value.data
    assert (data["digits"], data["tick_size"], data["field"]) == (5, 1e-05, name)
    assert scene.script.sent == []


async def test_normalize_moves_and_says_what(scene: Scene) -> None:
    """Volume goes down, never up; prices to the nearest tick."""
    receipt = await scene.ask(
        "place_order", symbol="EURUSD", side="buy", volume=0.019, sl=1.0800049, normalize=True
    )
    assert receipt["normalized"] == ["volume", "sl"]
    assert (scene.script.sent[0].volume, scene.script.sent[0].sl) == (0.01, 1.08)


async def test_normalize_does_not_make_volume_of_nothing(scene: Scene) -> None:
    """Below the minimum stays refused."""
    with pytest.raises(errors.InvalidVolume):
        await scene.ask("place_order", **{**BUY, "volume": 0.009, "normalize": True})


async def test_zero_means_none_where_metatrader_says_so(scene: Scene) -> None:
    """Bots of MetaTrader send sl, tp and price 0."""
    await scene.ask("place_order", **BUY, sl=0, tp=0.0, price=0)
    request = scene.script.sent[0]
    assert (request.sl, request.tp, request.price) == (0, 0, EURUSD.ask)


async def test_own_id_goes_out_and_comes_back(scene: Scene) -> None:
    """The comment carries the tag of the id before the caller's words, within 31 characters."""
    receipt = await scene.ask(
        "place_order", **BUY, client_order_id="grid-1", comment="a long comment of my own"
    )
    comment = scene.script.sent[0].comment
    assert receipt["order"]["comment"] == comment
    assert comment[0] == "g"
    assert comment[10:] == " a long comment of my"
    assert len(comment) <= 31


async def test_made_ids_differ(scene: Scene) -> None:
    """Without one of the caller's the gateway makes one for each call."""
    first = await scene.ask("place_order", **BUY)
    second = await scene.ask("place_order", **BUY)
    ids = [receipt["order"]["client_order_id"] for receipt in (first, second)]
    assert ids[0] != ids[1]
    assert all(one.startswith("gw-") and len(one) == 29 for one in ids)


async def test_expiration_becomes_broker_time(scene: Scene) -> None:
    """Alone it means `specified`; ISO text with an offset is the same moment."""
    moment = "2026-05-29T12:00:00+02:00"
    params: dict[str, Any] = {
        "symbol": "EURUSD",
        "type": "buy_limit",
        "volume": 0.1,
        "price": 1.08,
    }
    await scene.ask("place_order", **params, expiration=moment)
    request = scene.script.sent[0]
    assert request.type_time == 2
    assert request.expiration == 1_780_048_800 + OFFSET_MS // 1000


async def test_filling_is_tried_twice_at_most_and_only_on_10030(scene: Scene) -> None:
    """A refusal of the mode is final, so the second choice is safe; the answer tells both."""
    answers = [TradeResult(retcode=10030), DONE]
    scene.script.answers["order_send"] = lambda p: answers.pop(0)
    receipt = await scene.ask("place_order", **BUY)
    assert receipt["filling"] == {"chosen": "ioc", "tried": ["fok", "ioc"]}
    assert [request.type_filling for request in scene.script.sent] == [0, 1]


async def test_a_named_filling_is_not_replaced(scene: Scene) -> None:
    """The caller's choice is refused with what is allowed."""
    scene.script.answers["order_send"] = TradeResult(retcode=10030)
    with pytest.raises(errors.UnsupportedFilling) as refused:
        await scene.ask("place_order", **BUY, type_filling="RETURN")
    assert refused.value.data["allowed"] == ["fok", "ioc"]
    assert len(scene.script.sent) == 1


async def test_no_other_refusal_is_sent_again(scene: Scene) -> None:
    """One request, one answer."""
    scene.script.answers["order_send"] = TradeResult(retcode=10004, bid=1.1, ask=1.2)
    with pytest.raises(errors.PriceChanged) as refused:
        await scene.ask("place_order", **BUY)
    assert (refused.value.data["bid"], refused.value.data["ask"]) == (1.1, 1.2)
    assert len(scene.script.sent) == 1


async def test_pending_order_is_placed(scene: Scene) -> None:
    """It waits: nothing is filled, and the filling mode leaves the rest in the book."""
    scene.script.answers["order_send"] = TradeResult(retcode=10009, order=77, volume=0.1)
    receipt = await scene.ask(
        "place_order", symbol="EURUSD", side="sell", type="limit", volume=0.1, price=1.09
    )
    order = receipt["order"]
    assert (order["state"], order["order"], order["price"]) == ("placed", 77, 1.09)
    assert (order["filled_volume"], order["avg_price"], order["deal"]) == (0.0, None, None)
    assert receipt["filling"] == {"chosen": "return", "tried": ["return"]}


async def test_part_of_it(scene: Scene) -> None:
    """10010 is a success that says how much."""
    scene.script.answers["order_send"] = replace(DONE, retcode=10010, volume=0.04)
    order = (await scene.ask("place_order", **BUY))["order"]
    assert (order["state"], order["filled_volume"], order["volume"]) == ("partial", 0.04, 0.1)


async def test_deal_that_is_late_is_waited_for(scene: Scene) -> None:
    """Quirk 1: right after a fill the history may be empty; price and position come from it."""
    scene.script.answers["order_send"] = replace(DONE, price=0.0, position=0, order=DEAL.order)
    histories = [[], [], [replace(DEAL, volume=0.04), replace(DEAL, volume=0.06, price=1.085)]]
    scene.script.answers["history_deals_get"] = lambda p: histories.pop(0)
    order = (await scene.ask("place_order", **BUY))["order"]
    assert order["position"] == DEAL.position_id
    assert order["avg_price"] == 1.084672
    assert scene.script.asked_for("history_deals_get")[0].ticket == DEAL.order


async def test_a_position_that_has_turned_round_is_told_by_the_ticket_that_it_has_now() -> None:
    """On a netting account its identifier stays, which deals name, and its ticket does not."""
    scene = Scene(mode="netting")
    scene.script.answers["order_send"] = replace(DONE, price=0.0, position=0, order=DEAL.order)
    scene.script.answers["history_deals_get"] = [DEAL]
    turned = replace(POSITION, ticket=DEAL.order + 1, identifier=DEAL.position_id)
    scene.script.answers["positions_get"] = [turned]
    order = (await scene.ask("place_order", **BUY))["order"]
    assert order["position"] == turned.ticket != DEAL.position_id


async def test_receipt_does_not_fail_over_a_deal_that_never_comes(scene: Scene) -> None:
    """The trade is done; what is not known is null."""
    scene.script.answers["order_send"] = replace(DONE, price=0.0, position=0)
    scene.script.answers["history_deals_get"] = CommandFailed("history_deals_get", 4401)
    order = (await scene.ask("place_order", **BUY))["order"]
    assert (order["state"], order["avg_price"], order["position"]) == ("filled", None, None)


async def test_validate_only_sends_nothing(scene: Scene) -> None:
    """The checks run, and the terminal's own."""
    receipt = await scene.ask("place_order", **BUY, validate_only=True)
    assert (receipt["sent"], receipt["changed"]) == (False, False)
    assert receipt["check"]["passes"] is True
    assert receipt["order"]["state"] == "not_sent"
    assert scene.script.sent == []


async def test_validate_only_on_mt4_says_what_was_not_checked(mt4: Scene) -> None:
    """There is no OrderCheck there."""
    receipt = await mt4.ask("place_order", **BUY, validate_only=True)
    assert receipt["check"] is None
    assert "check" in receipt["unavailable"]
    assert mt4.script.sent == []


async def test_mt4_trades(mt4: Scene) -> None:
    """No filling modes, no deals; the receipt says so."""
    receipt = await mt4.ask("place_order", **BUY)
    assert (receipt["filling"], receipt["order"]["deal"]) == (None, None)
    assert "deal" in receipt["unavailable"]
    with pytest.raises(errors.MethodNotSupported) as refused:
        await mt4.ask(
            "place_order",
            symbol="EURUSD",
            type="buy_stop_limit",
            volume=0.1,
            price=1.09,
            stoplimit=1.08,
        )
    assert refused.value.data["capability"] == "stop_limit"


async def test_mt4_gets_nothing_that_it_would_change(mt4: Scene) -> None:
    """It has no orders of the day, and 32 bits for the magic: refused, never bent to fit."""
    pending: dict[str, Any] = {
        "symbol": "EURUSD",
        "type": "buy_limit",
        "volume": 0.1,
        "price": 1.0,
    }
    lifetimes: list[dict[str, Any]] = [
        {"type_time": "day"},
        {"type_time": "specified_day", "expiration": NOW_MS},
    ]
    for lifetime in lifetimes:
        with pytest.raises(errors.MethodNotSupported) as refused:
            await mt4.ask("place_order", **pending, **lifetime)
        assert refused.value.data["outcome"] == "not_sent"
    with pytest.raises(errors.MethodNotSupported):
        await mt4.ask("modify_order", ticket=ORDER.ticket, type_time="day")
    with pytest.raises(errors.InvalidParams) as invalid:
        await mt4.ask("place_order", **BUY, magic=2**31)
    assert invalid.value.data["errors"][0]["field"] == "magic"
    assert mt4.script.sent == []
    await mt4.ask("place_order", **BUY, magic=2**31 - 1)
    assert mt4.script.sent[0].magic == 2**31 - 1


async def test_orders_and_positions_are_listed(scene: Scene) -> None:
    """Filters go to the terminal; zeros that mean none are null."""
    (order,) = await scene.ask("get_orders", symbol="EURUSD")
    assert (order["type"], order["state"], order["position_id"]) == ("buy_limit", "placed", None)
    (position,) = await scene.ask("get_positions")
    assert (position["type"], position["tp"], position["sl"]) == ("buy", None, 1.08)
    assert await scene.ask("get_positions", ticket=1) == []


async def test_order_info_looks_into_the_past_too(scene: Scene) -> None:
    """Pending first, then the history; neither is 2009."""
    assert (await scene.ask("get_order_info", ticket=ORDER.ticket))["state"] == "placed"
    scene.script.answers["history_orders_get"] = [replace(ORDER, ticket=5, state=4)]
    assert (await scene.ask("get_order_info", ticket=5))["state"] == "filled"
    scene.script.answers["history_orders_get"] = []
    with pytest.raises(errors.OrderNotFound):
        await scene.ask("get_order_info", ticket=6)
