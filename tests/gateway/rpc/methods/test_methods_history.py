"""The account's past."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import BROKER_NOW_S, DEAL, NOW_MS, OFFSET_MS, ORDER
from scripted_terminal import Scene

from ea_bridge.model import Deal, Order
from gateway import errors

DAY_MS = 86_400_000


def serve_history(scene: Scene, orders: list[Order], deals: list[Deal]) -> None:
    """Answer for the past as a terminal with these records would."""

    def orders_get(params: Any) -> list[Order]:
        return [one for one in orders if _asked_for(params, one.time_done, one.ticket, one)]

    def deals_get(params: Any) -> list[Deal]:
        return [one for one in deals if _asked_for(params, one.time, one.order, one)]

    scene.script.answers["history_orders_get"] = orders_get
    scene.script.answers["history_deals_get"] = deals_get


def _asked_for(params: Any, time_s: int, ticket: int, noun: Any) -> bool:
    if params.ticket is not None:
        return bool(ticket == params.ticket)
    if params.position is not None:
        return bool(noun.position_id == params.position)
    return bool(params.from_s <= time_s <= params.to_s)


def deal(number: int, minutes_ago: float, entry: int, type_: int, **more: Any) -> Deal:
    """A deal of position 50 at a time before now."""
    at_ms = BROKER_NOW_S * 1000 - round(minutes_ago * 60_000)
    fields = {"volume": 0.1, "price": 1.08, "position_id": 50, "commission": 0.0, **more}
    return replace(
        DEAL,
        ticket=number,
        order=number + 100,
        time=at_ms // 1000,
        time_msc=at_ms,
        entry=entry,
        type=type_,
        **fields,
    )


def past_order(number: int, minutes_ago: int) -> Order:
    """A filled order."""
    done_s = BROKER_NOW_S - minutes_ago * 60
    return replace(
        ORDER,
        ticket=number,
        state=4,
        time_done=done_s,
        time_done_msc=done_s * 1000,
        position_id=50,
    )


async def test_each_kind_fills_its_lists(scene: Scene) -> None:
    """What was not asked for is empty, never absent."""
    deals = [deal(1, 60, 0, 0), deal(2, 30, 1, 1, profit=5.0)]
    serve_history(scene, [past_order(101, 60), past_order(102, 30)], deals)
    sizes = {}
    for kind in ("orders", "deals", "orders_deals", "positions"):
        told = await scene.ask("get_history_orders", kind=kind)
        assert told["kind"] == kind
        sizes[kind] = (len(told["orders"]), len(told["deals"]), len(told["positions"]))
    assert sizes == {
        "orders": (2, 0, 0),
        "deals": (0, 2, 0),
        "orders_deals": (2, 2, 0),
        "positions": (0, 0, 1),
    }


async def test_times_go_out_on_the_brokers_clock_and_come_back_as_utc(scene: Scene) -> None:
    """Both ends are included."""
    serve_history(scene, [], [deal(1, 0, 0, 0)])
    told = await scene.ask("get_history_orders", kind="deals", from_=NOW_MS, to=NOW_MS)
    assert told["deals"][0]["time"] == NOW_MS
    assert told["deals"][0]["broker_time"] == NOW_MS + OFFSET_MS
    (params,) = scene.script.asked_for("history_deals_get")
    assert (params.from_s, params.to_s) == (BROKER_NOW_S, BROKER_NOW_S)


async def test_a_span_is_kept_to_the_millisecond(scene: Scene) -> None:
    """Who asks from just after the last deal on misses none of the same second, and gets no other:
    terminals look at whole seconds alone.
    """
    deals = [deal(n, -ms / 60_000, 0, 0) for n, ms in ((1, 200), (2, 201), (3, 700), (4, 1000))]
    serve_history(scene, [], deals)
    told = await scene.ask("get_history_orders", kind="deals", from_=NOW_MS + 201, to=NOW_MS + 700)
    assert [one["ticket"] for one in told["deals"]] == [2, 3]


async def test_positions_of_a_span_to_the_millisecond(scene: Scene) -> None:
    """They count by the time at which the last of them was closed."""
    serve_history(scene, [], [deal(1, 60, 0, 0), deal(2, -500 / 60_000, 1, 1)])
    spans = [(NOW_MS + 499, NOW_MS + 500), (NOW_MS, NOW_MS + 499), (NOW_MS + 501, NOW_MS + 900)]
    found = [
        len((await scene.ask("get_history_orders", kind="positions", from_=a, to=b))["positions"])
        for a, b in spans
    ]
    assert found == [1, 0, 0]


async def test_a_past_that_is_cut_off(scene: Scene) -> None:
    """A terminal that no longer knows how a position began does not spoil the others."""
    deals = [
        deal(2, 40, 2, 1, volume=0.3),
        deal(3, 30, 1, 0, volume=0.1),
        deal(4, 20, 0, 0, position_id=51),
        deal(5, 10, 1, 1, position_id=51),
    ]
    serve_history(scene, [], deals)
    told = await scene.ask("get_history_orders", kind="positions")
    assert 51 in [one["position_id"] for one in told["positions"]]


async def test_thirty_days_up_to_now_by_default(scene: Scene) -> None:
    """And a little past now, since the broker's clock may be ahead of what we think."""
    await scene.ask("get_history_orders", kind="deals")
    (params,) = scene.script.asked_for("history_deals_get")
    assert params.from_s == BROKER_NOW_S - 30 * 86_400
    assert params.to_s > BROKER_NOW_S


async def test_position_is_put_together_from_its_deals(scene: Scene) -> None:
    """Averages by volume, sums of money to the cent, and which deals they are."""
    deals = [
        deal(1, 90, 0, 0, volume=0.1, price=1.08, commission=-0.35),
        deal(2, 80, 0, 0, volume=0.3, price=1.084, commission=-1.05),
        deal(3, 20, 1, 1, volume=0.3, price=1.09, profit=21.1, swap=-0.1, reason=5),
        deal(4, 10, 1, 1, volume=0.1, price=1.08, profit=-3.0, swap=-0.2, fee=-0.01, reason=4),
    ]
    serve_history(scene, [], deals)
    (one,) = (await scene.ask("get_history_orders", kind="positions"))["positions"]
    assert (one["position_id"], one["type"], one["volume"]) == (50, "buy", 0.4)
    assert (one["price_open"], one["price_close"]) == (1.083, 1.0875)
    assert (one["profit"], one["commission"], one["swap"], one["fee"]) == (18.1, -1.4, -0.3, -0.01)
    assert (one["time"], one["time_close"]) == (NOW_MS - 90 * 60_000, NOW_MS - 10 * 60_000)
    assert (one["reason"], one["deals"]) == ("sl", [1, 2, 3, 4])


async def test_entry_before_the_span_is_fetched(scene: Scene) -> None:
    """A position counts by its end; what opened it may lie long before."""
    deals = [deal(1, 50_000, 0, 1, price=1.09), deal(2, 10, 1, 0, price=1.08)]
    serve_history(scene, [], deals)
    told = await scene.ask("get_history_orders", kind="positions", from_=NOW_MS - DAY_MS)
    assert [one["price_open"] for one in told["positions"]] == [1.09]
    assert told["positions"][0]["type"] == "sell"


async def test_what_is_still_open_is_no_past_position(scene: Scene) -> None:
    """Neither an open one nor one that is closed in part."""
    serve_history(scene, [], [deal(1, 90, 0, 0), deal(2, 10, 1, 1, volume=0.04)])
    assert (await scene.ask("get_history_orders", kind="positions"))["positions"] == []


async def test_netting_reversal_makes_two(scene: Scene) -> None:
    """Quirk 11: one deal ends a position and begins the opposite one; its money counts once."""
    deals = [
        deal(1, 90, 0, 0, volume=0.1, price=1.08),
        deal(2, 60, 2, 1, volume=0.3, price=1.09, profit=10.0, commission=-1.0),
        deal(3, 30, 1, 0, volume=0.2, price=1.085, profit=10.0),
    ]
    serve_history(scene, [], deals)
    first, second = (await scene.ask("get_history_orders", kind="positions"))["positions"]
    assert (first["type"], first["volume"], first["profit"]) == ("buy", 0.1, 10.0)
    assert (second["type"], second["volume"], second["profit"]) == ("sell", 0.2, 10.0)
    assert (first["commission"], second["commission"]) == (-1.0, 0.0)
    assert (second["price_open"], second["price_close"]) == (1.09, 1.085)
    assert (first["deals"], second["deals"]) == ([1, 2], [2, 3])
    since = NOW_MS - 45 * 60_000
    told = await scene.ask("get_history_orders", kind="positions", from_=since)
    assert [one["type"] for one in told["positions"]] == ["sell"]


async def test_balance_operations_have_no_symbol_and_no_entry(scene: Scene) -> None:
    """And are no positions."""
    deposit = Deal(ticket=9, time=BROKER_NOW_S, type=2, profit=10000.0, comment="Deposit")
    serve_history(scene, [], [deposit])
    (told,) = (await scene.ask("get_history_orders", kind="deals"))["deals"]
    assert (told["type"], told["symbol"], told["entry"], told["order"]) == (
        "balance",
        None,
        None,
        None,
    )
    assert told["time"] == NOW_MS
    assert (await scene.ask("get_history_orders", kind="positions"))["positions"] == []


async def test_pages_neither_lose_nor_repeat(scene: Scene) -> None:
    """Also where many items share a moment, and over two lists at once."""
    deals = [deal(i, i // 5, 0, 0) for i in range(1, 41)]
    orders = [past_order(100 + i, i // 5) for i in range(1, 41)]
    serve_history(scene, orders, deals)
    params: dict[str, Any] = {"kind": "orders_deals", "limit": 7}
    tickets: list[int] = []
    while True:
        page = await scene.ask("get_history_orders", **params)
        found = [one["ticket"] for one in page["orders"] + page["deals"]]
        assert len(found) <= 7
        tickets += found
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert sorted(tickets) == sorted([*range(1, 41), *range(101, 141)])


async def test_only_a_symbol(scene: Scene) -> None:
    """The others are left out before pages are cut."""
    serve_history(scene, [], [deal(1, 5, 0, 0), deal(2, 4, 0, 0, symbol="XAUUSD", position_id=51)])
    told = await scene.ask("get_history_orders", kind="deals", symbol="XAUUSD")
    assert [one["ticket"] for one in told["deals"]] == [2]


async def test_deal_just_made_is_waited_for(scene: Scene) -> None:
    """Quirk 1: asked for by its order, an empty history is asked again for a little."""
    answers: list[Any] = [[], [], [deal(1, 0, 0, 0)]]
    scene.script.answers["history_deals_get"] = lambda p: answers.pop(0)
    told = await scene.ask("get_history_orders", kind="deals", ticket=101)
    assert [one["ticket"] for one in told["deals"]] == [1]


async def test_what_never_was_is_an_empty_answer(scene: Scene) -> None:
    """After the short wait, and not an error."""
    told = await scene.ask("get_history_orders", kind="deals", position=1)
    assert told["deals"] == []


@pytest.mark.parametrize(
    "params", [{"ticket": 1, "position": 2}, {"ticket": 1, "from_": 0}, {"position": 1, "to": 0}]
)
async def test_by_number_or_by_time(scene: Scene, params: dict[str, Any]) -> None:
    """Not both: the answer would be a guess."""
    with pytest.raises(errors.InvalidParams):
        await scene.ask("get_history_orders", **params)


async def test_mt4_history(mt4: Scene) -> None:
    """Closed trades are positions with their money; deals are not supported; lacks are listed."""
    done_s = BROKER_NOW_S - 60
    trade = Order(
        ticket=9,
        type=1,
        state=4,
        symbol="EURUSD",
        time_setup=done_s - 3600,
        time_done=done_s,
        volume_initial=0.2,
        price_open=1.09,
        price_current=1.08,
        profit=200.0,
        swap=-1.0,
        commission=-2.0,
    )
    deleted = replace(trade, ticket=10, type=2, state=2, profit=None)
    serve_history(mt4, [trade, deleted], [])
    told = await mt4.ask("get_history_orders", kind="positions")
    (one,) = told["positions"]
    assert (one["position_id"], one["price_open"], one["price_close"]) == (9, 1.09, 1.08)
    assert (one["profit"], one["swap"], one["commission"], one["fee"]) == (200, -1, -2, None)
    assert told["unavailable"] == ["reason", "fee", "deals"]
    assert len((await mt4.ask("get_history_orders"))["orders"]) == 2
    for kind in ("deals", "orders_deals"):
        with pytest.raises(errors.MethodNotSupported) as refused:
            await mt4.ask("get_history_orders", kind=kind)
        assert refused.value.data["capability"] == "deals"
