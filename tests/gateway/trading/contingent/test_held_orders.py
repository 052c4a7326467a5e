"""Stop-limit orders where the platform has none: kept by the gateway, durable, sent once."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from typing import Any

import msgspec
import pytest
from contingent_parts import BUY, LIMIT, PRICE, SPREAD, Stand, place, quiet, reach, until
from scripted_answers import EURUSD, NOW_MS

from ea_bridge.model import OrderType
from gateway import errors
from gateway.credentials.lease import Tier
from gateway.trading.journal import AccountKey, Journal
from gateway.trading.requests import FIRST_HELD


async def test_it_is_kept_and_listed_as_emulated(stand: Stand) -> None:
    """Every answer says so; the terminal hears nothing of it."""
    receipt = await place(stand, sl=1.08, comment="grid", client_order_id="a-1")
    order = receipt["order"]
    assert (receipt["sent"], receipt["changed"]) == (False, True)
    assert (order["emulated"], order["state"], order["type"]) == (True, "placed", "buy_stop_limit")
    assert (order["order"], order["retcode"]) == (FIRST_HELD + 1, 0)
    [listed] = await stand.scene.ask("get_orders", symbol="EURUSD")
    known = await stand.scene.ask("get_order_info", ticket=order["order"])
    for one in (listed, known):
        assert (one["emulated"], one["became"], one["ticket"]) == (True, None, order["order"])
        assert (one["price_open"], one["price_stoplimit"], one["sl"]) == (PRICE, LIMIT, 1.08)
    assert [op for op, _ in stand.scene.told] == ["add"]
    assert stand.scene.watched == {"EURUSD"}
    assert stand.sent == []


async def test_a_change_that_nobody_is_told_of_is_a_hole_in_the_stream(stand: Stand) -> None:
    """Whoever made it has gone while it was written: it may be on the disk all the same."""
    may_go_on = threading.Event()
    stand.ledger.write_soon(lambda _: may_go_on.wait())  # in the thread: the next write waits
    placing = asyncio.ensure_future(place(stand))
    await until(lambda: stand.ledger.waiting > 1)
    placing.cancel()
    await asyncio.wait((placing,))
    may_go_on.set()
    assert placing.cancelled()
    assert (stand.scene.told, stand.scene.untold) == ([], 1)


@pytest.mark.parametrize("is_under_way", [True, False])
async def test_work_that_is_stopped_may_have_been_about_to_tell(
    stand: Stand, is_under_way: bool
) -> None:
    """At the end of the daemon."""
    await place(stand)
    await quiet(stand)
    if is_under_way:
        stand.tick(PRICE)
    stand.stop()
    assert stand.scene.untold == is_under_way


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_it_is_triggered_at_its_price(stand: Stand, side: str) -> None:
    """A point before it nothing happens; there, once, a limit order with all that was asked."""
    end = NOW_MS + 3_600_000
    terms: dict[str, Any] = {"magic": 7, "comment": "grid", "expiration": end}
    if side == "buy":
        await place(stand, sl=1.08, tp=1.09, **terms)
        before, there = PRICE - SPREAD - 0.00001, PRICE - SPREAD
    else:
        terms |= {"type": "sell_stop_limit", "price": 1.084, "stoplimit": 1.085}
        await place(stand, sl=1.09, tp=1.08, **terms)
        before, there = 1.08401, 1.084
    stand.tick(round(before, 5))
    await quiet(stand)
    assert stand.sent == []
    for _ in range(3):
        stand.tick(round(there, 5))
    await quiet(stand)
    [sent] = stand.sent
    kind = OrderType.BUY_LIMIT if side == "buy" else OrderType.SELL_LIMIT
    assert (sent.action, sent.type, sent.volume, sent.magic) == (5, kind, 0.1, 7)
    assert sent.price == (LIMIT if side == "buy" else 1.085)
    assert (sent.sl, sent.tp) == ((1.08, 1.09) if side == "buy" else (1.09, 1.08))
    assert sent.expiration == stand.scene.clock.to_broker_ms(end) // 1000
    assert sent.comment.endswith(" grid")
    op, gone = stand.scene.told[-1]
    assert (op, gone.became) == ("remove", next(iter(stand.orders)))
    assert [one["emulated"] for one in await stand.scene.ask("get_orders")] == [False]
    known = await stand.scene.ask("get_order_info", ticket=gone.ticket)
    assert (known["emulated"], known["became"]) == (True, gone.became)
    assert stand.scene.watched == set()


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        ({"price": round(EURUSD.ask + 0.0001, 5), "stoplimit": 1.08}, True),
        ({"price": round(EURUSD.ask + 0.00009, 5), "stoplimit": 1.08}, False),
        ({"stoplimit": round(PRICE - 0.0001, 5)}, True),
        ({"stoplimit": round(PRICE - 0.00009, 5)}, False),
        ({"stoplimit": round(PRICE + 0.0005, 5)}, False),
        ({"type": "sell_stop_limit", "price": 1.08532, "stoplimit": 1.086}, True),
        ({"type": "sell_stop_limit", "price": 1.08533, "stoplimit": 1.086}, False),
        ({"type": "sell_stop_limit", "price": 1.084, "stoplimit": 1.083}, False),
        ({"price": 1.0870001}, False),
        ({"stoplimit": 1.0860001}, False),
    ],
)
async def test_prices_on_the_right_side_and_on_the_grid(
    stand: Stand, change: dict[str, Any], passes: bool
) -> None:
    """As a broker would judge it: ten points from the market, and between the two prices."""
    if passes:
        assert (await place(stand, **change))["order"]["emulated"]
        return
    with pytest.raises(errors.InvalidPrice) as refused:
        await place(stand, **change)
    assert refused.value.data["outcome"] == "not_sent"
    assert await stand.scene.ask("get_orders") == []


async def test_validating_leaves_no_trace(stand: Stand) -> None:
    """All is checked, and nothing kept."""
    receipt = await place(stand, validate_only=True)
    assert (receipt["changed"], receipt["order"]["state"]) == (False, "not_sent")
    assert receipt["order"]["order"] is None
    assert (stand.scene.told, await stand.scene.ask("get_orders")) == ([], [])


async def test_the_same_id_is_the_same_order(stand: Stand) -> None:
    """A retry is answered with the first answer, also where a crash took the journal's word."""
    first = await place(stand, client_order_id="a-1")
    again = await place(stand, client_order_id="a-1")
    assert (again["duplicate"], again["order"]["order"]) == (True, first["order"]["order"])
    stand.scene.guarded.journal = Journal()
    lost = await place(stand, client_order_id="a-1")
    assert lost["order"]["order"] == first["order"]["order"]
    assert len(await stand.scene.ask("get_orders")) == 1


async def test_changes(stand: Stand) -> None:
    """Absent stays, null removes; and what it is told counts when it is triggered."""
    placed = await place(stand, sl=1.08, tp=1.09, expiration=NOW_MS + 3_600_000)
    ticket = placed["order"]["order"]
    changed = await stand.scene.ask("modify_order", ticket=ticket, sl=None, stoplimit=1.0862)
    assert (changed["changed"], changed["order"]["sl"], changed["order"]["tp"]) == (
        True,
        None,
        1.09,
    )
    [listed] = await stand.scene.ask("get_orders")
    assert (listed["sl"], listed["tp"], listed["price_stoplimit"]) == (None, 1.09, 1.0862)
    assert listed["time_expiration"] == NOW_MS + 3_600_000
    same = await stand.scene.ask("modify_order", ticket=ticket, stoplimit=1.0862)
    assert same["changed"] is False
    await stand.scene.ask("modify_order", ticket=ticket, type_time="gtc", tp=1.0905)
    with pytest.raises(errors.InvalidPrice):
        await stand.scene.ask("modify_order", ticket=ticket, stoplimit=1.088)
    reach(stand)
    await quiet(stand)
    [sent] = stand.sent
    assert (sent.price, sent.sl, sent.tp, sent.expiration) == (1.0862, 0.0, 1.0905, 0)
    assert [op for op, _ in stand.scene.told] == ["add", "change", "change", "remove"]


async def test_cancelled(stand: Stand) -> None:
    """It is gone, also while the terminal is offline, and the market triggers nothing."""
    ticket = (await place(stand))["order"]["order"]
    other = (await place(stand))["order"]["order"]
    checked = await stand.scene.ask("cancel_order", ticket=ticket, validate_only=True)
    assert checked["changed"] is False
    gone = await stand.scene.ask("cancel_order", ticket=ticket)
    assert (gone["changed"], gone["order"]["state"], gone["order"]["emulated"]) == (
        True,
        "canceled",
        True,
    )
    stand.scene.disconnect()
    await stand.scene.ask("cancel_order", ticket=other)
    stand.scene.session = stand.scene.script
    with pytest.raises(errors.OrderNotFound):
        await stand.scene.ask("cancel_order", ticket=ticket)
    reach(stand)
    await quiet(stand)
    assert stand.sent == []
    assert (await stand.scene.ask("get_order_info", ticket=other))["state"] == "canceled"


async def test_who_may_only_reduce(stand: Stand) -> None:
    """While the console is silent one can be cancelled, but neither placed nor changed."""
    ticket = (await place(stand))["order"]["order"]
    stand.scene.tier = Tier.REDUCE
    for method, params in (
        ("place_order", BUY),
        ("modify_order", {"ticket": ticket, "tp": 1.09}),
    ):
        with pytest.raises(errors.Forbidden):
            await stand.scene.ask(method, **params)
    assert (await stand.scene.ask("cancel_order", ticket=ticket))["changed"]


async def test_it_expires(stand: Stand) -> None:
    """By the gateway's clock, and also where the daemon was down at that moment."""
    first = await place(stand, expiration=NOW_MS + 20)
    second = await place(stand, expiration=NOW_MS + 3_600_000)
    stand.scene.now_ms += 20
    await until(lambda: stand.scene.told[-1][0] == "remove")
    stand.stop()
    stand.scene.now_ms += 3_600_000
    stand.start()
    await until(lambda: len(stand.scene.told) == 4)
    for one in (first, second):
        known = await stand.scene.ask("get_order_info", ticket=one["order"]["order"])
        assert (known["state"], known["became"]) == ("expired", None)


# --- whose it is ---------------------------------------------------------------------------


async def test_another_account_does_not_see_it(stand: Stand) -> None:
    """Neither listed nor triggered while the terminal is logged in elsewhere."""
    ticket = (await place(stand))["order"]["order"]
    account, stand.account = stand.account, AccountKey(777, "Elsewhere")
    hello = stand.scene.hello
    stand.scene.hello = msgspec.structs.replace(hello, login=777, server="Elsewhere")
    stand.scene.connect(stand.keeper)
    reach(stand)
    await quiet(stand)
    assert (stand.sent, await stand.scene.ask("get_orders")) == ([], [])
    with pytest.raises(errors.OrderNotFound):
        await stand.scene.ask("cancel_order", ticket=ticket)
    stand.account, stand.scene.hello = account, hello
    stand.scene.connect(stand.keeper)
    await quiet(stand)
    assert len(stand.sent) == 1


@pytest.mark.parametrize("stopped_by", ["rights", "kill switch"])
async def test_no_right_no_order(stand: Stand, stopped_by: str) -> None:
    """A token that may not trade any more triggers nothing, nor does one while trading is halted;
    and what was stopped does not come back later."""
    ticket = (await place(stand))["order"]["order"]
    if stopped_by == "rights":
        stand.scene.tier = Tier.REDUCE
    else:
        await stand.scene.ask("set_trading_enabled", enabled=False)
    reach(stand)
    await quiet(stand)
    if stopped_by == "rights":
        stand.scene.tier = Tier.FULL
    else:
        await stand.scene.ask("set_trading_enabled", enabled=True)
    reach(stand)
    await quiet(stand)
    assert stand.sent == []
    assert (await stand.scene.ask("get_order_info", ticket=ticket))["state"] == "rejected"


async def test_a_sweep_takes_it_along(stand: Stand) -> None:
    """`cancel_all_orders` means those that the gateway keeps as well."""
    ticket = (await place(stand))["order"]["order"]
    waiting = stand.place()
    swept = await stand.scene.ask("cancel_all_orders")
    assert sorted(swept["cancelled"]) == [waiting, ticket]
    assert await stand.scene.ask("get_orders") == []


async def test_it_counts_against_the_limits_once(stand: Stand) -> None:
    """A held order takes the place of a pending one, also where many come at once; and it does
    not stand in the way of the limit order that it becomes, nor of its own changes."""
    stand.scene.limits = dataclasses.replace(stand.scene.limits, max_pending_orders=2)
    stand.place()
    placed = await asyncio.gather(*(place(stand) for _ in range(5)), return_exceptions=True)
    refused = [one for one in placed if isinstance(one, errors.RiskLimit)]
    assert (len(refused), {one.data["rule"] for one in refused}) == (4, {"max_pending_orders"})
    [held] = [one for one in await stand.scene.ask("get_orders") if one["emulated"]]
    await stand.scene.ask("modify_order", ticket=held["ticket"], tp=1.0905)
    reach(stand)
    await quiet(stand)
    assert (len(stand.orders), stand.keeper.orders()) == (2, [])


async def test_it_can_be_asked_for_by_its_id(stand: Stand) -> None:
    """`get_order` tells where it is, waiting or past."""
    placed = await place(stand, client_order_id="a-1")
    now = (await stand.scene.ask("get_order", client_order_id="a-1"))["now"]
    assert [one["ticket"] for one in now["orders"]] == [placed["order"]["order"]]
    reach(stand)
    await quiet(stand)
    now = (await stand.scene.ask("get_order", client_order_id="a-1"))["now"]
    [past] = now["past_orders"]
    assert (past["emulated"], past["became"]) == (True, next(iter(stand.orders)))


async def test_its_life_is_in_the_audit_trail(stand: Stand) -> None:
    """Each of its states, in the transaction that writes it."""
    await place(stand, client_order_id="a-1")
    reach(stand)
    await quiet(stand)
    rows = stand.ledger.reader.all("SELECT entry FROM audit ORDER BY n")
    entries = [json.loads(row["entry"]) for row in rows]
    told = [one for one in entries if one["event"] == "held_order"]
    assert [one["outcome"] for one in told] == ["waiting", "sending", "ended"]
    assert {one["object"] for one in told} == {"a-1"}
    assert told[-1]["became"] == next(iter(stand.orders))
