"""One id, one request: whatever is repeated, however and whenever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from journal_scene import BUY, LOST, Kept, fresh_tickets
from msgspec.structs import replace
from scripted_answers import DONE, EURUSD, POSITION
from scripted_terminal import CATALOGUE, Scene

from ea_bridge.errors import NotSent
from ea_bridge.model import TradeResult
from gateway import errors
from gateway.storage.store import StoreError
from gateway.trading.journal import CallKey
from gateway.trading.orders import close
from gateway.trading.requests import CloseRequest, Deadline, ExecutionOptions


async def test_a_repeated_call_is_answered_and_not_sent_again(kept: Kept) -> None:
    """The first answer, marked; also after the daemon has ended and begun anew."""
    first = await kept.buy("a")
    assert first["duplicate"] is False
    again = await kept.buy("a")
    kept.restart()
    after_restart = await kept.buy("a")
    assert again == after_restart == {**first, "duplicate": True}
    assert len(kept.scene.script.sent) == 1


async def test_calls_at_once_wait_for_the_same_answer(kept: Kept) -> None:
    """Ten at the same moment: one is carried out, and all have its receipt."""
    kept.scene.script.answers["order_send"] = fresh_tickets()
    answers = await asyncio.gather(*(kept.buy("a") for _ in range(10)))
    assert sorted(one["duplicate"] for one in answers) == [False] + [True] * 9
    assert len({one["order"]["order"] for one in answers}) == 1
    assert len(kept.scene.script.sent) == 1


async def test_other_params_under_a_used_id_are_refused(kept: Kept) -> None:
    """2101 tells what the id stands for; nothing is sent, and nothing is overwritten."""
    await kept.buy("a")
    for more in ({"volume": 0.2}, {"side": "sell"}, {"sl": 1.0}):
        error = await kept.fail("a", **more)
        assert isinstance(error, errors.ClientOrderIdConflict)
        assert error.data["outcome"] == "not_sent"
        assert error.data["original"]["method"] == "place_order"
        assert error.data["original"]["params"] == {**BUY, "volume": "0.1"}
    with pytest.raises(errors.ClientOrderIdConflict):
        await kept.scene.ask("cancel_order", ticket=1, client_order_id="a")
    assert len(kept.scene.script.sent) == 1


@pytest.mark.parametrize(
    "alike",
    [{"volume": "0.10"}, {"ttl_ms": 9000}, {"magic": 0, "comment": ""}, {"terminal": "mt5-a"}],
)
async def test_what_says_the_same_is_the_same(kept: Kept, alike: dict[str, Any]) -> None:
    """However a number is written, what is a default, and how long the caller has time."""
    await kept.buy("a")
    assert (await kept.buy("a", **alike))["duplicate"] is True


async def test_a_conflict_is_told_while_the_first_is_under_way(kept: Kept) -> None:
    """It does not wait for the end."""
    first: object
    second: object
    first, second = await asyncio.gather(
        kept.buy("a"), kept.fail("a", volume=0.2), return_exceptions=True
    )
    assert isinstance(first, dict)
    assert isinstance(second, errors.ClientOrderIdConflict)


async def test_a_refusal_is_final(kept: Kept) -> None:
    """The broker's no is said again, by the same name and numbers, and nothing is tried."""
    kept.scene.script.answers["order_send"] = TradeResult(retcode=10018)
    first = await kept.fail("a")
    kept.scene.script.answers["order_send"] = DONE
    kept.restart()
    again = await kept.fail("a")
    assert isinstance(again, errors.MarketClosed)
    assert again.data == {**first.data, "duplicate": True}
    assert (again.data["outcome"], len(kept.scene.script.sent)) == ("rejected", 1)


async def test_what_was_not_sent_frees_the_id(kept: Kept) -> None:
    """Before it was written down, and after; then even for something else."""
    kept.scene.disconnect()
    assert (await kept.fail("a")).data["outcome"] == "not_sent"
    kept.link()
    kept.scene.script.answers["order_send"] = NotSent("gone")
    assert (await kept.fail("a")).data["outcome"] == "not_sent"
    assert [row["stage"] for row in kept.rows()] == ["not_sent"]
    kept.scene.script.answers["order_send"] = DONE
    assert (await kept.buy("a", volume=0.2))["duplicate"] is False
    await kept.ledger.write(lambda _: None)
    assert [row["stage"] for row in kept.rows("sends")] == ["not_sent", "done"]


async def test_rights_that_end_while_it_is_written_down_free_the_id(kept: Kept) -> None:
    """What stops it right before the bytes is seen after the commit."""

    def revoke(point: str) -> None:
        if point == "journaled":
            kept.scene.revoked = errors.Unauthorized(reason="revoked")

    kept.on_point = revoke
    assert isinstance(await kept.fail("a"), errors.Unauthorized)
    assert [row["stage"] for row in kept.rows()] == ["not_sent"]
    assert kept.scene.script.sent == []


async def test_an_id_is_free_once_that_is_written(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the same call waits: its id is taken for nothing new, and nobody is in doubt."""
    kept.scene.script.answers["order_send"] = NotSent("gone")
    write, begun, may_go_on = kept.ledger.write, asyncio.Event(), asyncio.Event()

    async def slow(work: Any, **more: bool) -> Any:
        if kept.rows():  # the row is there: this is its end
            begun.set()
            await may_go_on.wait()
        return await write(work, **more)

    monkeypatch.setattr(kept.ledger, "write", slow)
    calls = [asyncio.create_task(kept.fail("a"))]
    await begun.wait()
    for move in (kept.scene.disconnect, kept.link):
        move()
        calls.append(asyncio.create_task(kept.fail("a")))
        for _ in range(5):
            await asyncio.sleep(0)
    may_go_on.set()
    assert [one.data["outcome"] for one in await asyncio.gather(*calls)] == ["not_sent"] * 3
    assert kept.log.doubtful(kept.here()) == []
    kept.scene.script.answers["order_send"] = DONE
    assert (await kept.buy("a", volume=0.2))["duplicate"] is False


async def test_a_caller_who_leaves_while_that_is_written_leaves_nobody_in_doubt(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call waits until the id is free, and is told that nothing was sent."""
    kept.scene.script.answers["order_send"] = NotSent("gone")
    write, begun, may_go_on = kept.ledger.write, asyncio.Event(), asyncio.Event()

    async def slow(work: Any, **more: bool) -> Any:
        if kept.rows():  # the row is there: this is its end
            begun.set()
            await may_go_on.wait()
        return await write(work, **more)

    monkeypatch.setattr(kept.ledger, "write", slow)
    leaving = asyncio.create_task(kept.fail("a"))
    await begun.wait()
    leaving.cancel()
    waiting = asyncio.create_task(kept.fail("a"))
    for _ in range(5):
        await asyncio.sleep(0)
    may_go_on.set()
    assert (await waiting).data["outcome"] == "not_sent"
    assert leaving.cancelled()
    assert [row["stage"] for row in kept.rows()] == ["not_sent"]
    assert kept.log.doubtful(kept.here()) == []


async def test_a_call_that_was_given_up_unsent_lets_the_next_one_go_on(kept: Kept) -> None:
    """Which has waited for its end, and finds the id free; of several one is carried out."""
    journal, may_go_on = kept.scene.guarded.journal, asyncio.Event()
    asked, done = CallKey(kept.here(), "a", "place_order", "{}"), list[int]()

    async def wait() -> None:
        await may_go_on.wait()

    async def trade() -> dict[str, Any]:
        done.append(1)
        return {"duplicate": False}

    leaving = asyncio.create_task(journal.once(asked, wait))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(journal.once(asked, trade)) for _ in range(3)]
    await asyncio.sleep(0)
    leaving.cancel()
    answers = await asyncio.gather(*waiting)
    assert sorted(one["duplicate"] for one in answers) == [False, True, True]
    assert done == [1]


async def test_the_unknown_is_said_again_and_never_sent_again(kept: Kept) -> None:
    """Also after a restart. The id stays taken."""
    kept.scene.script.answers["order_send"] = LOST
    first = await kept.fail("a")
    again = await kept.fail("a")
    kept.restart()
    after_restart = await kept.fail("a")
    for error in (first, again, after_restart):
        assert isinstance(error, errors.OrderUnresolved)
        assert (error.data["outcome"], error.data["acked"]) == ("unknown", True)
    assert "duplicate" not in first.data
    assert again.data["duplicate"] is after_restart.data["duplicate"] is True
    assert len(kept.scene.script.sent) == 1


async def test_validating_leaves_no_trace(kept: Kept) -> None:
    """Of an id that was never used, and of one that was."""
    assert (await kept.buy("a", validate_only=True))["sent"] is False
    assert kept.rows() == []
    assert (await kept.buy("a"))["duplicate"] is False
    assert (await kept.buy("a", validate_only=True))["sent"] is False


async def test_an_id_belongs_to_an_account(kept: Kept) -> None:
    """The same word in another account is another order."""
    first = await kept.buy("a")
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, login=87654321)
    kept.scene.script.answers["order_send"] = fresh_tickets()
    assert (await kept.buy("a"))["duplicate"] is False
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, login=12345678)
    assert (await kept.buy("a"))["order"] == first["order"]


async def test_a_terminal_that_has_not_come_back_is_still_known(kept: Kept) -> None:
    """After a restart nobody has dialled in, and yet a repeated call gets its receipt."""
    kept.log.note_account("mt5-a", kept._account() or pytest.fail("no account"))
    first = await kept.buy("a")
    kept.restart()
    kept.scene.disconnect()
    kept.scene.known = False
    assert (await kept.buy("a"))["order"] == first["order"]
    assert (await kept.fail("b")).data["outcome"] == "not_sent"


async def test_what_cannot_be_written_down_is_not_sent(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: nothing leaves, and the caller is told so."""

    async def full(work: object, *, is_small: bool, adds_risk: bool) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(kept.ledger, "write", full)
    error = await kept.fail("a")
    assert isinstance(error, errors.InternalError)
    assert error.data["outcome"] == "not_sent"
    assert kept.scene.script.sent == []
    monkeypatch.undo()
    assert (await kept.buy("a"))["duplicate"] is False


async def test_nothing_is_sent_before_it_is_on_the_disk(kept: Kept) -> None:
    """When the bytes are about to be written, another program can read the row."""
    seen: list[list[dict[str, Any]]] = []
    kept.scene.script.on_the_way = lambda: seen.append(kept.rows("sends"))
    await kept.buy("a")
    assert [row["command_id"] for row in seen[-1]] == [700]
    assert kept.points[:4] == ["journaled", "written", "acked", "result"]


async def test_a_second_filling_mode_is_a_second_command(kept: Kept) -> None:
    """One id, two commands, both noted; the answer is that of the second."""
    answers = iter([TradeResult(retcode=10030), DONE])
    kept.scene.script.answers["order_send"] = lambda _: next(answers)
    kept.scene.script.answers["symbol_get"] = replace(EURUSD, filling_mode=3)
    receipt = await kept.buy("a")
    assert receipt["filling"]["tried"] == ["fok", "ioc"]
    await kept.ledger.write(lambda _: None)
    assert [row["stage"] for row in kept.rows("sends")] == ["rejected", "done"]
    assert [row["stage"] for row in kept.rows()] == ["done"]
    assert (await kept.buy("a"))["order"] == receipt["order"]


def test_everything_with_an_id_is_journaled(scene: Scene) -> None:
    """No method can forget it: it is the catalogue that sees to it."""
    journaled = {one.name for one in CATALOGUE.values() if one.is_journaled}
    assert journaled >= {
        "place_order",
        "modify_order",
        "cancel_order",
        "close_position",
        "close_by",
    }
    assert not any(one.is_journaled for one in CATALOGUE.values() if not one.mutates)


async def test_trades_of_the_gateways_own_are_kept_too(kept: Kept) -> None:
    """No call stands behind them; each has an end."""
    await kept.buy("a")
    await kept.scene.ask("close_all_positions", client_order_id="all")
    await kept.ledger.write(lambda _: None)
    own = [row for row in kept.rows() if not row["method"]]
    assert own
    assert {row["stage"] for row in own} <= {"done", "rejected"}


async def test_a_trade_of_the_gateways_own_is_open_until_its_second_filling(kept: Kept) -> None:
    """A crash must find it: the first refusal is no end while another mode is tried."""
    await kept.buy("a")
    answers = iter([TradeResult(retcode=10030), DONE])
    kept.scene.script.answers["order_send"] = lambda _: next(answers)
    on_way: list[str] = []

    def note(point: str) -> None:
        if point == "acked":
            on_way.extend(row["stage"] for row in kept.rows() if not row["method"])

    kept.on_point = note
    await kept.scene.ask("close_all_positions", client_order_id="all")
    assert on_way[:2] == ["journaled", "journaled"]
    await kept.ledger.write(lambda _: None)
    own = [row["id"] for row in kept.rows() if not row["method"]]
    sends = [send["stage"] for send in kept.rows("sends") if send["order_id"] == own[0]]
    assert sends == ["rejected", "done"]
    assert kept.log._running == {}


async def test_a_trade_of_the_gateways_own_that_fails_by_a_fault_is_looked_for(kept: Kept) -> None:
    """It may have been sent: it is unknown, and nobody is left waiting for its end."""
    await kept.buy("a")

    def fail(_: object) -> None:
        raise ValueError("a fault of ours")

    kept.scene.script.answers["order_send"] = fail
    swept = await kept.scene.ask("close_all_positions", client_order_id="all")
    assert [one["outcome"] for one in swept["failed"]] == ["unknown"]
    assert kept.log._running == {}
    [own] = kept.log.unresolved(kept.here())
    assert own.asked.client_order_id.startswith("gw-")


async def test_a_trade_refused_in_another_account_ends_none_of_its_id(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's own trade of the first account goes on, and its end is its own."""
    other = replace(POSITION, ticket=POSITION.ticket + 1, identifier=POSITION.ticket + 1)
    kept.scene.script.answers["positions_get"] = lambda params: [
        position for position in (POSITION, other) if position.ticket == params.ticket
    ]
    write, begun, may_go_on = kept.ledger.write, asyncio.Event(), asyncio.Event()

    async def slow(work: Any, **more: Any) -> Any:
        begun.set()
        await may_go_on.wait()
        return await write(work, **more)

    def own(ticket: int) -> Any:
        deadline = Deadline.of(kept.log.now_ms, None, None)
        options = ExecutionOptions(client_order_id="gw-1", deadline=deadline)
        return close(kept.scene.guarded, kept.scene.state, CloseRequest(ticket=ticket), options)

    monkeypatch.setattr(kept.ledger, "write", slow)
    first_account, trade = kept.here(), asyncio.create_task(own(POSITION.ticket))
    await begun.wait()
    hello = kept.scene.hello
    kept.scene.hello = kept.scene.script.hello = replace(hello, login=87654321)
    with pytest.raises(errors.TerminalDisconnected):
        await own(other.ticket)
    intent = kept.log.running_as(first_account, "gw-1")
    assert intent is not None
    assert intent.is_under_way
    kept.scene.hello = kept.scene.script.hello = hello
    may_go_on.set()
    await trade
    await kept.ledger.write(lambda _: None)
    assert [(row["login"], row["stage"]) for row in kept.rows()] == [(hello.login, "done")]
    assert kept.log._running == {}
