"""Ends of orders that cannot be written: the daemon knows them, and writes them when it can."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept, fresh_tickets
from scripted_answers import DONE

from ea_bridge.errors import NotSent
from ea_bridge.model import TradeResult
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError
from gateway.trading.journal import log as unwritten


def break_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written from now on."""

    def commit(_: Ledger, group: list[Any]) -> None:
        for write in group:
            write.error = StoreError("the disk reports errors")

    monkeypatch.setattr(Ledger, "_commit", commit)


def break_at(kept: Kept, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written once a point was reached."""

    def reach(reached: str) -> None:
        if reached == point:
            kept.on_point = lambda _: None
            break_disk(monkeypatch)

    kept.on_point = reach


async def stages(kept: Kept) -> dict[str, str]:
    """Return how the orders stand on the disk when all is written that waits for it."""
    for _ in range(2):  # what was written may have more written
        await kept.ledger.write(lambda _: None)
        await asyncio.sleep(0)
    return {row["client_order_id"]: row["stage"] for row in kept.rows()}


async def test_a_sweep_is_not_done_twice(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command stands for it: its id is known all the same, and is on the disk later."""
    looks: list[object] = []

    def none(asked: object) -> list[object]:
        looks.append(asked)
        return []

    kept.scene.script.answers |= {**NOTHING, "orders_get": none}
    break_disk(monkeypatch)
    first = await kept.scene.ask("cancel_all_orders", client_order_id="s")
    before = len(looks)
    again = await kept.scene.ask("cancel_all_orders", client_order_id="s")
    assert again == {**first, "duplicate": True}
    assert len(looks) == before > 0
    monkeypatch.undo()
    await kept.buy("b")
    assert (await stages(kept))["s"] == "done"
    kept.restart()
    assert await kept.scene.ask("cancel_all_orders", client_order_id="s") == again


async def test_an_end_is_written_with_the_next_write(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only as that of a command that may have been sent, which would have to be found out."""
    break_at(kept, "result", monkeypatch)
    receipt = await kept.buy("a")
    assert await kept.buy("a") == {**receipt, "duplicate": True}
    with pytest.raises(StoreError):
        await stages(kept)
    assert [row["stage"] for row in kept.rows()] == ["journaled"]
    monkeypatch.undo()
    assert (await kept.buy("b"))["duplicate"] is False
    assert (await stages(kept))["a"] == "done"
    assert not kept.log._running
    assert not kept.log._unwritten
    kept.restart()
    assert await kept.buy("a") == {**receipt, "duplicate": True}


async def test_an_id_that_is_free_again_can_be_used(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command was journaled and not sent; the disk says so before the next one is."""
    answer = kept.scene.script.answers["order_send"]
    kept.scene.script.answers["order_send"] = NotSent("order_send", "link lost")
    break_at(kept, "journaled", monkeypatch)
    assert (await kept.fail("a")).data["outcome"] == "not_sent"
    assert [row["stage"] for row in kept.rows()] == ["journaled"]
    assert (await kept.fail("a")).data["outcome"] == "not_sent", "it cannot be journaled"
    monkeypatch.undo()
    kept.scene.script.answers["order_send"] = answer
    assert (await kept.buy("a"))["duplicate"] is False
    assert await stages(kept) == {"a": "done"}
    assert not kept.log._unwritten


async def test_an_unknown_order_is_never_written_with_commands_that_have_ended(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end was found while the disk took nothing: the reconciler writes both as one."""
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    break_at(kept, "acked", monkeypatch)
    await kept.fail("a")
    kept.link()
    kept.results("done", DONE)
    await kept.look()
    assert [row["stage"] for row in kept.rows()] == ["journaled"]
    assert kept.log._unwritten
    monkeypatch.undo()
    kept.scene.script.answers["order_send"] = fresh_tickets()
    await kept.buy("b")
    assert (await stages(kept))["a"] == "journaled"
    await kept.look()
    assert (await stages(kept))["a"] == "done"
    assert {send["stage"] for send in kept.rows("sends")} == {"done"}


async def test_an_end_is_written_by_and_by_if_nothing_else_is(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes nothing for a while, and then nobody trades any more."""
    monkeypatch.setattr(unwritten, "PAUSES_S", (0.01,))
    break_at(kept, "result", monkeypatch)
    await kept.buy("a")
    with pytest.raises(StoreError):
        await stages(kept)
    assert [row["stage"] for row in kept.rows()] == ["journaled"]
    await asyncio.sleep(0.1)
    assert kept.log._unwritten, "the disk still takes nothing"
    monkeypatch.undo()
    async with asyncio.timeout(60.0):
        while kept.log._unwritten:  # noqa: ASYNC110 - nobody tells when it is written
            await asyncio.sleep(0.001)
    assert [row["stage"] for row in kept.rows()] == ["done"]


async def test_an_end_is_written_when_the_gateway_ends(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one need not find it out."""
    break_at(kept, "result", monkeypatch)
    receipt = await kept.buy("a")
    with pytest.raises(StoreError):
        await stages(kept)
    monkeypatch.undo()
    await kept.log.finish()
    assert [row["stage"] for row in kept.rows()] == ["done"]
    kept.restart()
    assert await kept.buy("a") == {**receipt, "duplicate": True}


async def found_while_the_disk_took_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, state: str = "done", *results: Any
) -> None:
    """Lose an order, and find the end of its command, before it is written that it is unknown."""
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    break_at(kept, "acked", monkeypatch)
    await kept.fail("a")
    kept.link()
    kept.results(state, *results)
    await kept.look()
    assert [row["stage"] for row in kept.rows()] == ["journaled"]


@pytest.mark.parametrize(
    ("state", "results", "command", "end"),
    [
        ("done", [DONE], "done", "done"),
        ("done", [TradeResult(retcode=10019)], "unknown", "rejected"),
        ("absent", [], "unknown", "not_sent"),
    ],
)
async def test_an_unknown_order_is_written_as_such_when_the_gateway_ends(
    kept: Kept,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    state: str,
    results: list[TradeResult],
    command: str,
    end: str,
) -> None:
    """Its caller was told so, and nobody concludes its end before the next run."""
    await found_while_the_disk_took_nothing(kept, monkeypatch, state, *results)
    monkeypatch.undo()
    caplog.clear()
    await kept.log.finish()
    assert [row["stage"] for row in kept.rows()] == ["unknown"]
    assert [row["stage"] for row in kept.rows("sends")] == [command]
    assert not caplog.messages
    kept.restart()
    await kept.look()
    assert (await stages(kept))["a"] == end


async def test_the_log_tells_what_is_not_written_when_the_gateway_ends(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was tried, and what the next run has to find out is told as what it is."""
    await found_while_the_disk_took_nothing(kept, monkeypatch, "done", DONE)
    tries = []
    failing = Ledger._commit

    def count(ledger: Ledger, group: list[Any]) -> None:
        tries.append(len(group))
        failing(ledger, group)

    monkeypatch.setattr(Ledger, "_commit", count)
    caplog.clear()
    await kept.log.finish()
    assert tries
    assert "it is not written that order a is unknown" in caplog.text
    assert "the end of order" not in caplog.text


async def test_an_end_that_is_on_its_way_is_not_written_over_when_the_gateway_ends(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes it is stopped before he hears that it is on the disk."""
    await found_while_the_disk_took_nothing(kept, monkeypatch, "done", DONE)
    monkeypatch.undo()
    looking = asyncio.create_task(kept.look())
    while not kept.log._settling:  # noqa: ASYNC110 - nobody tells when it is being written
        await asyncio.sleep(0)
    looking.cancel()
    await asyncio.wait((looking,))
    await kept.log.finish()
    assert (await stages(kept))["a"] == "done"
