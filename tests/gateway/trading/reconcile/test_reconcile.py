"""Finding out what became of a command: by the terminal's table, late answers, and its account."""

from __future__ import annotations

from typing import Any

import pytest
from journal_scene import LOST, Kept
from msgspec.structs import replace
from scripted_answers import DEAL, DONE, NOW_MS, OFFSET_MS, ORDER, POSITION

from ea_bridge import commands
from ea_bridge.errors import CommandFailed, NotSent
from ea_bridge.model import Order, Position, TradeAction, TradeRequest, TradeResult
from ea_bridge.session import LateResult
from gateway import errors
from gateway.trading.journal import Stage
from gateway.trading.reconcile import patience
from gateway.trading.requests import tag

HERE_MS = NOW_MS + OFFSET_MS


@pytest.fixture(name="lost")
async def lose_an_order(kept: Kept) -> Kept:
    """A buy of 0.1 whose answer was lost; the terminal is back, and shows an empty account."""
    await kept.lose("a")
    return kept


async def outcome(kept: Kept, client_order_id: str = "a") -> str:
    """What ``get_order`` says."""
    record = await kept.scene.ask("get_order", client_order_id=client_order_id)
    return str(record["outcome"])


def filled(ticket: int, comment: str, **more: Any) -> Order:
    """The order of a buy of 0.1, as the history shows it."""
    order = replace(
        ORDER,
        ticket=ticket,
        type=0,
        type_filling=0,
        state=4,
        magic=0,
        volume_initial=0.1,
        volume_current=0.0,
        position_id=ticket,
        time_setup=HERE_MS // 1000,
        time_setup_msc=HERE_MS,
        time_done=HERE_MS // 1000,
        time_done_msc=HERE_MS,
        comment=comment,
    )
    return replace(order, **more)


def mine(client_order_id: str = "a") -> str:
    """The tag of an id."""
    return tag(12345678, "Broker-Demo", client_order_id)


# --- the terminal's table ----------------------------------------------------------------------


async def test_the_table_tells_what_was_done(lost: Kept) -> None:
    """The receipt is that of the first call, and the event says it."""
    lost.results("done", DONE)
    await lost.look()
    receipt = await lost.buy("a")
    assert (receipt["duplicate"], receipt["order"]["order"]) == (True, DONE.order)
    assert receipt["order"]["avg_price"] == DONE.price
    assert [one.stage for one in lost.settled] == [Stage.DONE]


async def test_the_table_tells_a_refusal(lost: Kept) -> None:
    """It is final, by its own name."""
    lost.results("done", TradeResult(retcode=10018))
    await lost.look()
    assert isinstance(await lost.fail("a"), errors.MarketClosed)
    assert await outcome(lost) == "rejected"


async def test_the_table_tells_that_the_ea_refused(lost: Kept) -> None:
    """Before it had sent anything."""
    lost.results("done", err=4754)
    await lost.look()
    assert isinstance(await lost.fail("a"), errors.OrderNotFound)


async def test_too_late_is_not_sent(lost: Kept) -> None:
    """Its time was over when its turn came: the id is free."""
    lost.results("done", err=commands.TOO_LATE)
    await lost.look()
    assert await outcome(lost) == "not_sent"


async def test_too_late_is_told_at_once_too(kept: Kept) -> None:
    """2103, as if it had not been handed over in time."""
    kept.scene.script.answers["order_send"] = CommandFailed("order_send", commands.TOO_LATE)
    error = await kept.fail("a")
    assert isinstance(error, errors.DeadlineExceeded)
    assert error.data["outcome"] == "not_sent"


async def test_what_the_terminal_cannot_note_is_not_sent(kept: Kept) -> None:
    """Its disk took no note, so it did not begin: another try is another command."""
    failed = CommandFailed("order_send", commands.FILE_WRITE_ERROR)
    kept.scene.script.answers["order_send"] = failed
    error = await kept.fail("a")
    assert error.data["outcome"] == "not_sent"
    assert await outcome(kept) == "not_sent"


@pytest.mark.parametrize("state", ["taken", "forgotten"])
async def test_what_the_table_does_not_settle_stays_unknown(lost: Kept, state: str) -> None:
    """As long as the account does not show it either."""
    lost.results(state)
    await lost.look()
    await lost.look()
    assert await outcome(lost) == "unknown"
    assert lost.scene.guarded.journal.unresolved("EURUSD") == ["a"]


async def test_an_open_answer_of_the_server_stays_unknown(lost: Kept) -> None:
    """10012: the server gave up waiting; the market may not have."""
    lost.results("done", TradeResult(retcode=10012))
    await lost.look()
    assert await outcome(lost) == "unknown"


# --- late answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "error", "expected"),
    [
        (DONE, None, "done"),
        (TradeResult(retcode=10019), None, "rejected"),
        (None, CommandFailed("order_send", 4003), "rejected"),
        (None, CommandFailed("order_send", 4756), "unknown"),
        (None, CommandFailed("order_send", commands.TOO_LATE), "not_sent"),
        (None, CommandFailed("order_send", commands.FILE_WRITE_ERROR), "not_sent"),
        (None, CommandFailed("order_send", 4024), "unknown"),
    ],
)
async def test_a_late_answer_counts(
    lost: Kept, result: TradeResult | None, error: CommandFailed | None, expected: str
) -> None:
    """Whatever it says; one that says nothing changes nothing."""
    lost.results("forgotten")
    request = TradeRequest(action=1)
    late = LateResult(700, commands.ORDER_SEND, request, result, error)
    lost.reconciler._reported._late[700] = late
    await lost.look()
    assert await outcome(lost) == expected


# --- the account -------------------------------------------------------------------------------


@pytest.fixture(name="searched")
async def search_alone(lost: Kept) -> Kept:
    """The same before a terminal that has no table of results."""
    lost.equip("ticks,book,deals,check")
    return lost


@pytest.mark.parametrize("comment", [mine(), "rewritten"])
async def test_it_is_found_in_the_history(searched: Kept, comment: str) -> None:
    """By its tag, or by everything else; the receipt has the price of its deal."""
    deal = replace(DEAL, ticket=55, order=900, position_id=900, volume=0.1, price=1.5)
    searched.scene.script.answers |= {
        "history_orders_get": [filled(900, comment)],
        "history_deals_get": [deal],
    }
    await searched.look()
    order = (await searched.buy("a"))["order"]
    assert (order["order"], order["deal"], order["position"]) == (900, 55, 900)
    assert (order["avg_price"], order["state"]) == (1.5, "filled")


async def test_a_history_that_lags_is_looked_at_again(searched: Kept) -> None:
    """Nothing is concluded from what is not there yet."""
    await searched.look()
    assert await outcome(searched) == "unknown"
    searched.scene.script.answers["positions_get"] = [opened(900)]
    await searched.look()
    assert await outcome(searched) == "done"


def opened(ticket: int) -> Position:
    """The position of a buy of 0.1."""
    return replace(
        POSITION,
        ticket=ticket,
        identifier=ticket,
        type=0,
        magic=0,
        volume=0.1,
        time=HERE_MS // 1000,
        time_msc=HERE_MS,
        comment="",
    )


async def test_an_order_of_somebody_else_is_not_taken(searched: Kept) -> None:
    """One that another request is known to have made, though it is alike in everything."""
    searched.scene.script.answers["order_send"] = replace(DONE, order=900, position=900)
    await searched.buy("b")
    searched.scene.script.answers["history_orders_get"] = [filled(900, "rewritten")]
    await searched.look()
    assert await outcome(searched) == "unknown"


async def test_equal_orders_are_matched_one_to_one(searched: Kept) -> None:
    """Two are unknown: one order is not enough to tell, two are."""
    searched.scene.script.answers["order_send"] = LOST
    await searched.fail("b")
    searched.scene.script.answers["history_orders_get"] = [filled(900, "rewritten")]
    await searched.look()
    assert (await outcome(searched), await outcome(searched, "b")) == ("unknown", "unknown")
    both = [filled(900, "rewritten"), filled(901, "rewritten")]
    searched.scene.script.answers["history_orders_get"] = both
    await searched.look()
    tickets = {(await searched.buy(one))["order"]["order"] for one in ("a", "b")}
    assert tickets == {900, 901}


async def test_an_order_that_was_not_filled_is_a_refusal(searched: Kept) -> None:
    """The market took nothing of it."""
    unfilled = filled(900, mine(), state=5, volume_current=0.1, position_id=0)
    searched.scene.script.answers["history_orders_get"] = [unfilled]
    await searched.look()
    assert await outcome(searched) == "rejected"


async def test_on_metatrader_4_it_is_found_among_the_trades(kept: Kept) -> None:
    """There a trade keeps the ticket of its order, and there are no deals."""
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    kept.scene.script.answers |= {
        "order_send": LOST,
        "orders_get": [],
        "positions_get": [],
        "history_orders_get": [],
    }
    await kept.fail("a")
    kept.link()
    kept.scene.script.answers["positions_get"] = [opened(900)]
    await kept.look()
    order = (await kept.buy("a"))["order"]
    assert (order["order"], order["position"]) == (900, 900)


async def test_what_left_no_trace_for_long_was_not_executed(
    searched: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the broker is away, or there is an order that may be its own. The id stays taken."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    searched.scene.script.broker = False
    await searched.look()
    assert await outcome(searched) == "unknown"
    searched.scene.script.broker = True
    alike = [filled(900, "rewritten"), filled(901, "rewritten")]
    searched.scene.script.answers["history_orders_get"] = alike
    await searched.look()
    assert await outcome(searched) == "unknown"
    searched.scene.script.answers["history_orders_get"] = []
    await searched.look()
    error = await searched.fail("a")
    assert isinstance(error, errors.OrderRejected)
    assert (error.data["outcome"], error.data["duplicate"]) == ("rejected", True)


# --- changes of what is there ------------------------------------------------------------------


@pytest.mark.parametrize(("state", "expected"), [(2, "done"), (4, "rejected"), (None, "unknown")])
async def test_a_lost_removal(kept: Kept, state: int | None, expected: str) -> None:
    """The history says how the order has ended; while it waits nobody knows."""
    kept.equip("ticks,book,deals,check")
    pending = replace(ORDER, ticket=900)
    kept.scene.script.answers |= {"order_send": LOST, "orders_get": [pending]}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("cancel_order", ticket=900, client_order_id="a")
    kept.link()
    if state is not None:
        kept.scene.script.answers |= {
            "orders_get": [],
            "history_orders_get": [replace(pending, state=state)],
        }
    await kept.look()
    assert await outcome(kept) == expected
    assert kept.scene.guarded.journal.unresolved("EURUSD") == []


async def test_a_lost_exit_on_metatrader_4(kept: Kept) -> None:
    """A ticket is closed once: what another request has closed, this one has not."""
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    closed = filled(900, "to #901", state=0)
    kept.scene.script.answers |= {
        "order_send": LOST,
        "orders_get": [],
        "positions_get": [opened(900)],
        "history_orders_get": [],
    }
    for one in ("a", "b"):
        with pytest.raises(errors.OrderUnresolved):
            await kept.scene.ask("close_position", ticket=900, client_order_id=one)
    kept.link()
    kept.scene.script.answers |= {"positions_get": [], "history_orders_get": [closed]}
    await kept.look()
    assert (await outcome(kept), await outcome(kept, "b")) == ("unknown", "unknown")
    kept.reconciler._reported._late[700] = LateResult(
        700, commands.ORDER_SEND, kept.scene.script.sent[0], replace(DONE, position=900), None
    )
    await kept.look()
    assert (await outcome(kept), await outcome(kept, "b")) == ("done", "rejected")


async def test_lost_stops(kept: Kept) -> None:
    """They are there, so they were set."""
    kept.equip("ticks,book,deals,check")
    position = replace(POSITION, ticket=900, sl=0.0, tp=0.0)
    kept.scene.script.answers |= {
        "order_send": LOST,
        "positions_get": [position],
        "orders_get": [],
    }
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("modify_order", ticket=900, sl=1.0, client_order_id="a")
    kept.link()
    await kept.look()
    assert await outcome(kept) == "unknown"
    [request] = kept.scene.script.sent
    assert request.action == TradeAction.SLTP
    kept.scene.script.answers["positions_get"] = [replace(position, sl=request.sl)]
    await kept.look()
    assert await outcome(kept) == "done"


# --- when it looks -----------------------------------------------------------------------------


async def test_it_looks_until_nothing_is_unknown(lost: Kept) -> None:
    """It begins when it is told to, and ends by itself."""
    answers = iter(["taken", "taken"])

    def table(params: Any) -> list[commands.StoredResult]:
        state = next(answers, None)
        if state is None:
            return [commands.StoredResult(id=700, state="done", result=DONE)]
        return [commands.StoredResult(id=700, state="taken")]

    lost.scene.script.answers["results_get"] = table
    lost.reconciler.wake()
    assert lost.reconciler._task is not None
    await lost.reconciler._task
    assert await outcome(lost) == "done"


async def test_it_rests_while_the_terminal_is_gone(lost: Kept) -> None:
    """The next link begins anew."""
    lost.scene.script.answers["results_get"] = NotSent("gone")
    lost.scene.disconnect()
    lost.reconciler.wake()
    assert lost.reconciler._task is not None
    await lost.reconciler._task
    assert await outcome(lost) == "unknown"
