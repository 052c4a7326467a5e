"""One cancels the other: linked orders, run by the gateway and kept in its ledger."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from contingent_parts import Stand, quiet, until

from ea_bridge.errors import NotSent, OutcomeUnknown, TerminalBusy
from ea_bridge.model import OrderState, TradeAction
from gateway import errors
from gateway.credentials.lease import Tier
from gateway.errors import Unauthorized
from gateway.trading.contingent import oco


async def link(stand: Stand, *tickets: int) -> Any:
    """Link orders."""
    return await stand.scene.ask("link_oco", tickets=list(tickets))


async def only(stand: Stand) -> Any:
    """The one link there is, over or not."""
    [found] = await stand.scene.ask("get_oco_links", past=10)
    return found


def ends(told: Any) -> list[str | None]:
    """How the orders of a link ended."""
    return [one["end"] for one in told["orders"]]


@pytest.mark.parametrize("how", ["filled", "filled in part", "canceled by hand", "expired"])
async def test_the_first_that_ends_takes_the_others_with_it(stand: Stand, how: str) -> None:
    """Each of them is cancelled once, under an id made from the link's."""
    first, second, third = (stand.place() for _ in range(3))
    linked = await link(stand, second, first, third)
    assert (linked["state"], linked["runs_in"]) == ("active", "gateway")
    assert [one["ticket"] for one in linked["orders"]] == [first, second, third]
    match how:
        case "filled" | "filled in part":
            stand.fill(second, part=how != "filled")
        case "canceled by hand":
            stand.say("remove", stand.leave(second, OrderState.CANCELED))
        case _:
            stand.say("remove", stand.leave(second, OrderState.EXPIRED))
    await quiet(stand)
    assert {one.action for one in stand.sent} == {TradeAction.REMOVE}
    assert sorted(one.order for one in stand.sent) == [first, third]
    over = await only(stand)
    assert (over["state"], over["problem"]) == ("done", None)
    assert ends(over) == ["canceled", how.partition(" ")[0], "canceled"]
    assert over["ended"] is not None
    assert await stand.scene.ask("get_oco_links") == []


async def test_what_concerns_others_changes_nothing(stand: Stand) -> None:
    """An order that is not linked, and a linked one that is only changed."""
    first, second, other = (stand.place() for _ in range(3))
    await link(stand, first, second)
    stand.fill(other)
    stand.say("change", stand.orders[first])
    await quiet(stand)
    assert (stand.sent, (await only(stand))["state"]) == ([], "active")


async def test_the_same_link_again(stand: Stand) -> None:
    """Asking again is safe; an order is in one link at a time."""
    first, second, third = (stand.place() for _ in range(3))
    linked = await link(stand, first, second)
    assert (await link(stand, second, first))["id"] == linked["id"]
    with pytest.raises(errors.InvalidParams) as refused:
        await link(stand, second, third)
    assert refused.value.data["linked"] == [first, second]
    for tickets in ([first], [third, third], [third, 1]):
        with pytest.raises((errors.InvalidParams, errors.OrderNotFound)) as unlinked:
            await stand.scene.ask("link_oco", tickets=tickets)
        assert unlinked.value.data["outcome"] == "not_sent"
    assert len(await stand.scene.ask("get_oco_links")) == 1


async def test_one_that_is_gone_already(stand: Stand) -> None:
    """Nothing is linked, and the error names it; the other one stays, as its owner's."""
    first, second = stand.place(), stand.place()
    stand.fill(first)
    with pytest.raises(errors.OrderNotFound) as refused:
        await link(stand, first, second)
    assert refused.value.data["tickets"] == [first]
    assert (await stand.scene.ask("get_oco_links"), list(stand.orders)) == ([], [second])


async def test_one_that_ends_while_it_is_linked(stand: Stand) -> None:
    """Between the look and the row no event is lost."""
    first, second = stand.place(), stand.place()
    asked = []

    def gone() -> None:
        asked.append(stand.scene.script.ops())
        if len(asked) == 2:
            stand.leave(first, OrderState.FILLED)

    stand.scene.script.on_the_way = gone
    await link(stand, first, second)
    await quiet(stand)
    assert stand.orders == {}
    assert ends(await only(stand)) == ["filled", "canceled"]


async def test_unlinked(stand: Stand) -> None:
    """Each lives for itself again; a link that nobody made is 2009."""
    first, second = stand.place(), stand.place()
    linked = await link(stand, first, second)
    assert (await stand.scene.ask("unlink_oco", id=linked["id"]))["state"] == "unlinked"
    stand.fill(first)
    await quiet(stand)
    assert (stand.sent, list(stand.orders)) == ([], [second])
    again = await stand.scene.ask("unlink_oco", id=linked["id"])
    assert again["state"] == "unlinked"
    with pytest.raises(errors.OrderNotFound):
        await stand.scene.ask("unlink_oco", id="oco-7")


async def test_a_fill_whose_event_never_came(stand: Stand) -> None:
    """The terminal's queue was full, or its EA missed it: the lists are looked at every few
    seconds, and when nothing is linked any more they are not."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    await quiet(stand)
    stand.leave(first, OrderState.FILLED)
    await until(lambda: not stand.orders)
    await until(lambda: not stand.keeper._tasks._tasks)
    assert ends(await only(stand)) == ["filled", "canceled"]


async def test_the_watch_goes_on_after_an_error(stand: Stand) -> None:
    """The terminal was busy when it was looked."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    await quiet(stand)
    lists, failed = stand.scene.script.answers["orders_get"], list[object]()

    def busy(params: object) -> Any:
        failed.append(params)
        stand.scene.script.answers["orders_get"] = lists
        return TerminalBusy()

    stand.scene.script.answers["orders_get"] = busy
    stand.leave(first, OrderState.FILLED)
    await until(lambda: not stand.orders)
    assert len(failed) == 1


@pytest.mark.parametrize("both", [False, True])
async def test_what_happened_while_nobody_listened(stand: Stand, both: bool) -> None:
    """After a break, of the link or of the daemon, the history tells; a fill of both is told."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    stand.stop()
    stand.leave(first, OrderState.FILLED)
    if both:
        stand.leave(second, OrderState.FILLED)
    stand.start()
    await quiet(stand)
    assert stand.orders == {}
    assert ends(await only(stand)) == ["filled", "filled" if both else "canceled"]
    assert len(stand.sent) == (0 if both else 1)


async def test_a_fill_while_the_terminal_is_away(stand: Stand) -> None:
    """The others are cancelled when it is back."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    stand.scene.disconnect()
    stand.fill(first)
    await quiet(stand)
    assert (await only(stand))["state"] == "cancelling"
    stand.scene.session = stand.scene.script
    stand.scene.connect(stand.keeper)
    await quiet(stand)
    assert (stand.orders, (await only(stand))["state"]) == ({}, "done")


async def test_a_cancel_that_fails_is_tried_again(stand: Stand) -> None:
    """Frozen, a closed market, an answer that is lost: each attempt has an id of its own, and the
    list tells the trouble."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    stand.refusals = [10029, 10018, OutcomeUnknown("order_send", 1, acked=True, reason="lost")]
    stand.refusals += [10029] * 1000
    stand.fill(first)
    await until(lambda: len(stand.sent) > 5)
    told = await only(stand)
    assert (told["state"], told["problem"]) == ("cancelling", "frozen")
    stand.refusals.clear()
    await quiet(stand)
    assert (stand.orders, ends(await only(stand))) == ({}, ["filled", "canceled"])


async def test_rights_count_here_too(stand: Stand) -> None:
    """A token that may not even reduce cancels nothing until it may; to reduce is enough."""
    first, second = stand.place(), stand.place()
    stand.scene.tier = Tier.REDUCE
    await link(stand, first, second)
    stand.scene.revoked = Unauthorized(reason="lease_expired")
    stand.fill(first)
    await until(lambda: stand.keeper.links.list(stand.account)[0].problem)
    assert stand.sent == []
    stand.scene.revoked = None
    await quiet(stand)
    assert stand.orders == {}


async def test_orders_that_the_gateway_keeps_can_be_linked(stand: Stand) -> None:
    """A held order that is triggered goes on in its link as the limit order that it became."""
    order: dict[str, Any] = {"symbol": "EURUSD", "type": "buy_stop_limit", "volume": 0.1}
    held = await stand.scene.ask("place_order", **order, price=1.087, stoplimit=1.086)
    other = stand.place()
    ticket = held["order"]["order"]
    await link(stand, other, ticket)
    stand.tick(1.087)
    await quiet(stand)
    [became] = set(stand.orders) - {other}
    told = await only(stand)
    assert (told["state"], {one["ticket"] for one in told["orders"]}) == (
        "active",
        {became, other},
    )
    stand.stop()
    stand.start()
    await quiet(stand)
    stand.fill(became)
    await quiet(stand)
    assert stand.orders == {}
    assert sorted(map(str, ends(await only(stand)))) == ["canceled", "filled"]


async def test_a_held_order_is_cancelled_like_any_other(stand: Stand) -> None:
    """It never reaches the market."""
    order: dict[str, Any] = {"symbol": "EURUSD", "type": "sell_stop_limit", "volume": 0.1}
    held = await stand.scene.ask("place_order", **order, price=1.084, stoplimit=1.085)
    other = stand.place()
    await link(stand, other, held["order"]["order"])
    stand.fill(other)
    await quiet(stand)
    assert stand.keeper.orders() == []
    assert stand.sent == []
    assert sorted(map(str, ends(await only(stand)))) == ["canceled", "filled"]


async def test_a_terminal_without_its_broker_shows_no_ends(stand: Stand) -> None:
    """It has just been started and lists nothing yet: the orders are there all the same."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    answers, script = stand.scene.script.answers, stand.scene.script
    full, script.broker = answers["orders_get"], None
    await asyncio.sleep(0.02)  # a look of the watch over links that is under way comes to its end
    answers["orders_get"] = []
    stand.scene.connect(stand.keeper)
    looks = len(script.asked)
    await asyncio.sleep(0.02)
    assert script.asked[looks:] == []
    answers["orders_get"], script.broker = full, True
    await until(lambda: len(script.asked) > looks)
    await quiet(stand)
    assert ((await only(stand))["state"], stand.sent) == ("active", [])


async def test_a_list_that_is_empty_for_a_moment_ends_nothing(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a terminal that has just logged in, though its broker is there; what stays away, and is
    nowhere in its past, has ended after all."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    stand.stop()
    answers, empty = stand.scene.script.answers, list[object]()
    full = answers["orders_get"]

    def nothing(params: object) -> Any:
        empty.append(params)
        return []

    answers["orders_get"] = nothing
    stand.start()
    await until(lambda: len(empty) > 1)
    answers["orders_get"] = full
    await quiet(stand)
    assert ((await only(stand))["state"], stand.sent) == ("active", [])
    monkeypatch.setattr(oco, "GONE_S", 0.0)
    del stand.orders[first]
    await until(lambda: not stand.orders)
    await quiet(stand)
    assert ends(await only(stand)) == ["gone", "canceled"]


async def test_a_link_that_ends_is_always_in_one_of_the_lists(stand: Stand) -> None:
    """Also while its end is being written."""
    first, second = stand.place(), stand.place()
    linked = await link(stand, first, second)
    ending = asyncio.create_task(stand.scene.ask("unlink_oco", id=linked["id"]))
    while not ending.done():
        assert (await only(stand))["id"] == linked["id"]
        await asyncio.sleep(0)
    assert (await only(stand))["state"] == "unlinked"


async def test_how_an_order_ended_is_asked_until_the_terminal_tells(stand: Stand) -> None:
    """One whose partner was filled has been cancelled by somebody: it is not called gone."""
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    answers = stand.scene.script.answers
    history, failures = answers["history_orders_get"], [NotSent("history_orders_get", "lost")] * 2

    def tell(params: Any) -> Any:
        return failures.pop() if failures else history(params)

    answers["history_orders_get"] = tell
    stand.leave(second, OrderState.CANCELED)
    stand.fill(first)
    await until(lambda: not failures)
    stand.keeper._tasks.hurry()
    await until(lambda: not stand.keeper.links._links)
    assert ends(await only(stand)) == ["filled", "canceled"]


async def test_a_drain_waits_for_the_cancel_of_the_others(stand: Stand) -> None:
    """From the fill on, while the terminal is there."""
    links = stand.keeper.links
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    assert links.cancelling == 0
    stand.fill(first)
    assert links.cancelling == 1, "no bytes are written yet"
    session, stand.scene.session = stand.scene.session, None
    assert links.cancelling == 0
    stand.scene.session = session
    await quiet(stand)
    assert (links.cancelling, stand.orders) == (0, {})


async def test_a_drain_does_not_wait_for_what_is_refused_again_and_again(stand: Stand) -> None:
    """A market that is closed for days must not hold a gateway up: the next one goes on."""
    links = stand.keeper.links
    first, second = stand.place(), stand.place()
    await link(stand, first, second)
    stand.refusals = [10018] * 1000
    stand.fill(first)
    assert links.cancelling == 1
    await until(lambda: links.cancelling == 0)
    assert (await only(stand))["state"] == "cancelling"
    stand.refusals.clear()
    await quiet(stand)
    assert stand.orders == {}
