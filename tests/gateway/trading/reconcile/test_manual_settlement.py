"""Settling by hand: a person's word for what nobody knows, checked, noted, and never the last."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept, fresh_tickets
from msgspec.structs import replace
from scripted_answers import DEAL, DONE, ORDER
from test_ends import TABLELESS
from test_reconcile import filled, mine, outcome

from ea_bridge import commands
from ea_bridge.errors import OutcomeUnknown
from ea_bridge.model import TradeResult
from ea_bridge.session import LateResult
from gateway import errors
from gateway.auth.caller import Scope
from gateway.storage.store import StoreError
from gateway.trading.journal import Stage
from gateway.trading.journal.intents import ENDS
from gateway.trading.journal.views import noted, settled
from gateway.trading.reconcile.patience import RetrySchedule


@pytest.fixture(name="lost")
async def lose_an_order(kept: Kept) -> Kept:
    """A buy of 0.1 whose answer was lost, before a terminal without a table of results."""
    kept.equip(TABLELESS)
    await kept.lose("a")
    eternity = itertools.count(0.0, 1e6)
    kept.reconciler._settlements._schedule = RetrySchedule(kept.log.now_ms, eternity.__next__)
    return kept


async def settle(kept: Kept, client_order_id: str = "a", **params: Any) -> Any:
    return await kept.scene.ask(
        "settle_order", scope=Scope.ADMIN, client_order_id=client_order_id, **params
    )


async def refused(kept: Kept, client_order_id: str = "a", **params: Any) -> str:
    """Why it is not settled."""
    with pytest.raises(errors.InvalidParams) as caught:
        await settle(kept, client_order_id, **params)
    [fault] = caught.value.data["errors"]
    return f"{fault['field']}: {fault['reason']}"


async def test_an_order_that_was_not_executed(lost: Kept) -> None:
    """Its symbol is open, its id is not free, its caller hears it, and so does the audit trail."""
    record = await settle(lost, executed=False)
    assert (record["state"], record["outcome"]) == ("rejected", "rejected")
    assert record["settlement"]["by"] == "token A1b2C3d4E5f6"
    assert lost.scene.guarded.journal.unresolved("EURUSD") == []
    again = await lost.fail("a")
    assert isinstance(again, errors.OrderRejected)
    assert "A person has settled it" in again.message
    [told] = lost.settled
    event = settled(told)
    assert event["outcome"] == "rejected"
    assert event["settlement"] is not None
    note = noted(told)
    assert note["settlement"]["by"] == "token A1b2C3d4E5f6"
    assert note["sends"][0]["presumed"] == "by_hand"


async def test_an_order_that_was_executed_is_looked_up(lost: Kept) -> None:
    """The terminal shows it: the receipt is the one of the order."""
    deal = replace(DEAL, ticket=55, order=900, position_id=900, volume=0.1, price=1.5)
    lost.scene.script.answers |= {
        "history_orders_get": [filled(900, "rewritten")],
        "history_deals_get": [deal],
    }
    record = await settle(lost, executed=True, ticket=900)
    assert record["outcome"] == "done"
    assert record["settlement"]["checked"] is True
    order = (await lost.buy("a"))["order"]
    assert (order["order"], order["avg_price"], order["position"]) == (900, 1.5, 900)
    assert lost.log.claimed(lost.here(), {900}) == {900}


async def test_it_is_settled_unchecked_while_the_terminal_is_away(lost: Kept) -> None:
    """And says so."""
    lost.scene.disconnect()
    record = await settle(lost, executed=True, ticket=900)
    said = record["settlement"]
    assert (said["checked"], said["ticket"]) == (False, 900)
    assert "cannot be asked (terminal_disconnected)" in said["note"]
    lost.restart()
    record = await lost.scene.ask("get_order", client_order_id="a")
    assert (record["outcome"], record["settlement"]) == ("done", said)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ([], "ticket: the terminal shows no such order"),
        ([filled(900, "", symbol="GBPUSD")], "ticket: it is another order: its symbol is GBPUSD"),
        ([filled(900, "", type=1)], "ticket: it is another order: its type is another one"),
        ([filled(900, "", volume_initial=0.2)], "ticket: it is another order: its volume is 0.2"),
        (
            [filled(900, mine("other"))],
            f"ticket: it is another order: it carries the tag of another one ({mine('other')})",
        ),
        (
            [filled(900, "", state=2, volume_current=0.1, position_id=0)],
            "ticket: that order was not filled",
        ),
    ],
)
async def test_a_ticket_that_is_not_its_own_is_refused(
    lost: Kept, shown: list[Any], reason: str
) -> None:
    """As far as the terminal shows; the order stays unknown."""
    lost.scene.script.answers["history_orders_get"] = shown
    assert await refused(lost, executed=True, ticket=900) == reason
    assert await outcome(lost) == "unknown"


async def test_a_ticket_of_another_request_is_refused(lost: Kept) -> None:
    """Whether it is linked or not."""
    lost.scene.script.answers["order_send"] = fresh_tickets()
    ticket = (await lost.buy("b"))["order"]["order"]
    lost.scene.disconnect()
    assert await refused(lost, executed=True, ticket=ticket) == "ticket: it is the order of b"


async def test_what_is_not_unknown_is_refused(lost: Kept) -> None:
    """Nor is what nobody has asked for settled, nor what is said by half."""
    assert await refused(lost, executed=True) == "ticket: say which order of the terminal it is"
    assert (
        await refused(lost, executed=False, ticket=9) == "ticket: what was not executed has none"
    )
    await settle(lost, executed=False)
    assert await refused(lost, executed=False) == (
        "client_order_id: its state is rejected, and not unknown"
    )
    with pytest.raises(errors.OrderNotFound):
        await settle(lost, "nobody", executed=False)


async def test_only_an_admin_settles(lost: Kept) -> None:
    """A token that may trade must not be able to open a symbol over its own doubts."""
    with pytest.raises(errors.Forbidden):
        await lost.scene.ask("settle_order", client_order_id="a", executed=False)
    assert await outcome(lost) == "unknown"


async def test_a_change_is_settled_without_a_ticket(kept: Kept) -> None:
    """It makes no order; a ticket that is given must be that of what it was to change."""
    kept.equip(TABLELESS)
    pending = replace(ORDER, ticket=900)
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST, "orders_get": [pending]}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("cancel_order", ticket=900, client_order_id="a")
    assert await refused(kept, executed=True, ticket=901) == "ticket: it was to change 900"
    record = await settle(kept, executed=True)
    assert (record["outcome"], record["result"]["order"]["state"]) == ("done", "canceled")


async def test_a_crash_while_it_is_written_leaves_it_unknown(
    lost: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or settled; never half."""

    async def full(work: object, **_: object) -> None:
        raise StoreError("the disk is full")

    await lost.ledger.write(lambda _: None)
    monkeypatch.setattr(lost.ledger, "write", full)
    with pytest.raises(errors.InternalError):
        await settle(lost, executed=False)
    monkeypatch.undo()
    assert await outcome(lost) == "unknown"
    await lost.look()
    assert await outcome(lost) == "unknown"
    await settle(lost, executed=False)
    assert [row["stage"] for row in lost.rows()] == ["rejected"]


# --- its command has ended, and the terminal is gone ---------------------------------------------


async def find_and_leave(kept: Kept, monkeypatch: pytest.MonkeyPatch, **table: Any) -> None:
    """Lose an order; its command's end is found, and the terminal goes before all is told of it,
    while the disk takes nothing.
    """

    async def full(work: object, **_: object) -> None:
        raise StoreError("the disk is full")

    await kept.lose("a")
    await kept.ledger.write(lambda _: None)
    kept.results(**table)
    monkeypatch.setattr(kept.ledger, "write", full)
    await kept.look()
    monkeypatch.undo()
    kept.scene.disconnect()
    assert await outcome(kept) == "unknown"
    assert all(send.stage in ENDS for send in kept.log.find(kept.here(), "a").sends)  # type: ignore[union-attr]


async def test_a_fill_whose_terminal_went_before_its_deals_is_settled(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person need not wait until it is back, but says what the terminal has told."""
    await find_and_leave(kept, monkeypatch, state="done", result=DONE)
    assert kept.scene.guarded.journal.unresolved("EURUSD") == ["a"]
    told = "executed: the terminal tells that it was executed"
    assert await refused(kept, executed=False) == told
    wrong = f"ticket: the terminal tells that it is order {DONE.order}"
    assert await refused(kept, executed=True, ticket=DONE.order + 1) == wrong
    assert await refused(kept, executed=True) == "ticket: say which order of the terminal it is"
    record = await settle(kept, executed=True, ticket=DONE.order)
    assert (record["outcome"], record["settlement"]["checked"]) == ("done", True)
    assert record["settlement"]["by"] == "token A1b2C3d4E5f6"
    assert kept.scene.guarded.journal.unresolved("EURUSD") == []
    assert (await kept.buy("a"))["order"]["order"] == DONE.order
    kept.restart()
    assert await outcome(kept) == "done"
    assert [row["ticket"] for row in kept.rows("sends")] == [DONE.order]


@pytest.mark.parametrize("state", ["done", "absent"])
async def test_a_refusal_that_is_not_written_is_settled(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Also where the terminal never took it; no word of a person frees an id."""
    result = TradeResult(retcode=10019) if state == "done" else None
    await find_and_leave(kept, monkeypatch, state=state, result=result)
    told = "executed: the terminal tells that it was not executed"
    assert await refused(kept, executed=True, ticket=900) == told
    record = await settle(kept, executed=False)
    assert (record["state"], record["outcome"]) == ("rejected", "rejected")
    assert record["settlement"]["outcome"] == "rejected"
    kept.restart()
    assert await outcome(kept) == "rejected"


async def test_a_word_that_crosses_with_what_is_found_is_not_taken(lost: Kept) -> None:
    """The end of its command is found while the terminal is asked about the ticket."""
    [send] = lost.log.find(lost.here(), "a").sends  # type: ignore[union-attr]

    def find(_: object) -> list[Any]:
        lost.reconciler._reported.take_result(send, DONE)
        return [filled(900, "")]

    lost.scene.script.answers["history_orders_get"] = find
    assert await refused(lost, executed=True, ticket=900) == (
        "client_order_id: it is being found out right now: ask get_order"
    )
    assert await outcome(lost) == "unknown"
    await lost.look()
    assert (await lost.buy("a"))["order"]["order"] == DONE.order


# --- the truth comes later ---------------------------------------------------------------------


async def contradicted(kept: Kept) -> tuple[str, str]:
    """What was said, and what counts now; it is told, noted, and on the disk."""
    kept.restart()
    record = await kept.scene.ask("get_order", client_order_id="a")
    assert record["settlement"]["time_contradicted"] == kept.scene.now_ms
    event = settled(kept.settled[-1]) if kept.settled else None
    assert event is None or event["settlement"] == record["settlement"]
    return record["settlement"]["outcome"], record["outcome"]


@pytest.mark.parametrize("restarts", [False, True])
async def test_an_order_that_shows_after_it_was_settled_as_not_executed(
    lost: Kept, restarts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """By its tag; also by a daemon that was started anew since."""
    await settle(lost, executed=False)
    if restarts:
        lost.restart()
        eternity = itertools.count(0.0, 1e6)
        lost.reconciler._settlements._schedule = RetrySchedule(lost.log.now_ms, eternity.__next__)
    await lost.look()
    assert await outcome(lost) == "rejected"
    lost.scene.script.answers["history_orders_get"] = [filled(900, mine())]
    await lost.look()
    assert (await lost.buy("a"))["order"]["order"] == 900
    assert "settled by hand" in caplog.text
    event = settled(lost.settled[-1])
    assert event["outcome"] == "done"
    assert event["settlement"]
    assert event["settlement"]["time_contradicted"] is not None
    assert await contradicted(lost) == ("rejected", "done")


async def test_the_table_contradicts(kept: Kept) -> None:
    """The terminal is back, with its results: it was refused, and not executed."""
    await kept.lose("a")
    kept.scene.disconnect()
    await settle(kept, executed=True, ticket=900)
    kept.link()
    kept.results("done", TradeResult(retcode=10019))
    await kept.look()
    assert await contradicted(kept) == ("done", "rejected")


async def test_another_ticket_contradicts(kept: Kept) -> None:
    """It was executed, as another order than a person has said."""
    await kept.lose("a")
    kept.scene.disconnect()
    await settle(kept, executed=True, ticket=900)
    kept.link()
    kept.results("done", replace(DONE, order=901, position=901))
    await kept.look()
    assert await contradicted(kept) == ("done", "done")
    assert (await kept.buy("a"))["order"]["order"] == 901


async def test_a_late_answer_contradicts(kept: Kept) -> None:
    """It comes on the very link, after a person has given up."""
    late = OutcomeUnknown("order_send", 7, acked=True, reason="timeout")
    kept.equip(TABLELESS)
    kept.scene.script.answers |= {**NOTHING, "order_send": late}
    await kept.fail("a")
    await settle(kept, executed=False)
    [request] = kept.scene.script.sent
    command_id = kept.log.find(kept.here(), "a").sends[0].command_id  # type: ignore[union-attr]
    kept.reconciler._reported.late(
        LateResult(command_id, commands.ORDER_SEND, request, DONE, None)
    )
    await kept.look()
    assert await contradicted(kept) == ("rejected", "done")


async def test_a_truth_that_is_the_same_ends_the_watch(kept: Kept) -> None:
    """The terminal is asked no more, also after a restart."""
    await kept.lose("a")
    await settle(kept, executed=False)
    kept.results("absent")
    await kept.look()
    assert await outcome(kept) == "rejected"
    asked = len(kept.scene.script.asked)
    assert await kept.reconciler._round() is True
    kept.restart()
    assert await kept.reconciler._round() is True
    assert len(kept.scene.script.asked) == asked
    assert len(kept.settled) == 1


async def test_the_watch_ends_after_a_day(lost: Kept) -> None:
    """Nothing was ever heard of it, and nothing of it is left in memory."""
    await settle(lost, executed=False)
    await lost.look()
    pacing = lost.reconciler._settlements._schedule
    assert len(pacing._looks) == 1
    lost.scene.now_ms += 86_400_001
    asked = len(lost.scene.script.asked)
    assert await lost.reconciler._round() is True
    assert len(lost.scene.script.asked) == asked
    assert pacing._looks == {}


async def test_what_is_found_otherwise_is_not_undone_by_who_finds_it_so(lost: Kept) -> None:
    """Two terminals of one account look at the same moment."""
    await settle(lost, executed=False)
    [intent] = lost.log.watched(lost.here())
    assert intent.settlement is not None
    confirmed = replace(intent.settlement, confirmed=True)
    contradicted = replace(intent.settlement, contradicted_ms=1)
    await asyncio.gather(
        lost.log.settle(intent, Stage.DONE, b"{}", settlement=contradicted),
        lost.log.confirm(intent, confirmed),
    )
    assert [row["stage"] for row in lost.rows()] == ["done"]
    assert intent.settlement == contradicted


async def test_an_order_of_the_market_is_none_on_paper(lost: Kept) -> None:
    """Though the account trades on paper by the time that a person settles it."""
    lost.scene.guarded.is_paper = True
    record = await settle(lost, executed=True, ticket=900)
    assert record["result"]["paper"] is False
    assert "paper trading was switched since" in record["settlement"]["note"]
