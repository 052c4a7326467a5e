"""What a crash leaves behind at each point, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_scene import Kept
from scripted_answers import DONE

from gateway import errors
from gateway.trading.journal import Stage


@pytest.mark.parametrize("point", ["journaled", "written", "acked", "result", "answered"])
async def test_a_crash_leaves_what_leads_to_the_truth(
    kept: Kept, tmp_path: Path, point: str
) -> None:
    """The id is taken and unknown; the table of the terminal says what became of it."""
    kept.leave(point, tmp_path / point)
    told = await kept.buy("a")
    kept.restart(tmp_path / point)
    kept.link()
    assert (await kept.scene.ask("get_order", client_order_id="a"))["outcome"] == "unknown"
    assert isinstance(await kept.fail("a"), errors.OrderUnresolved)
    assert kept.scene.guarded.journal.unresolved("EURUSD") == ["a"]
    assert kept.scene.guarded.journal.unresolved("GBPUSD") == []
    kept.results("done", DONE)
    await kept.look()
    again = await kept.buy("a")
    assert again["order"]["order"] == told["order"]["order"]
    assert (again["duplicate"], len(kept.scene.script.sent)) == (True, 1)
    assert kept.scene.guarded.journal.unresolved("EURUSD") == []


async def test_a_crash_before_the_bytes_frees_the_id(kept: Kept, tmp_path: Path) -> None:
    """The terminal has never seen the command: it was not sent, and may be now."""
    kept.leave("journaled", tmp_path / "crashed")
    await kept.buy("a")
    kept.restart(tmp_path / "crashed")
    kept.link()
    kept.results("absent")
    await kept.look()
    assert [intent.stage for intent in kept.settled] == [Stage.NOT_SENT]
    record = await kept.scene.ask("get_order", client_order_id="a")
    assert (record["outcome"], record["reconciled"]) == ("not_sent", True)
    assert (await kept.buy("a"))["duplicate"] is False


async def test_a_crash_after_the_end_is_written_changes_nothing(
    kept: Kept, tmp_path: Path
) -> None:
    """The same receipt, from the disk alone."""
    kept.leave("recorded", tmp_path / "crashed")
    told = await kept.buy("a")
    await kept.ledger.write(lambda _: None)
    kept.restart(tmp_path / "crashed")
    kept.scene.disconnect()
    assert (await kept.buy("a")) == {**told, "duplicate": True}
    record = await kept.scene.ask("get_order", client_order_id="a")
    assert (record["state"], record["outcome"], record["reconciled"]) == ("done", "done", False)
    assert record["result"] == told


async def test_ids_of_commands_go_on(kept: Kept) -> None:
    """A clock that went back cannot make one a second time: it begins after the last."""
    await kept.buy("a")
    kept.restart()
    assert kept.log.last_command_id == 700


async def test_get_order_tells_every_stage(kept: Kept) -> None:
    """While it is under way too."""
    stages: list[tuple[str, str]] = []

    def ask(point: str) -> None:
        if point in ("journaled", "written", "acked"):
            intent = kept.scene.guarded.journal.find("a")
            assert intent is not None
            stages.append((point, intent.stage_now))

    kept.on_point = ask
    await kept.buy("a")
    assert stages == [("journaled", "journaled"), ("written", "sent"), ("acked", "acked")]
    record = await kept.scene.ask("get_order", client_order_id="a")
    assert (record["state"], record["method"]) == ("done", "place_order")
    assert record["sends"][0]["retcode_name"] == "TRADE_RETCODE_DONE"
    with pytest.raises(errors.OrderNotFound):
        await kept.scene.ask("get_order", client_order_id="b")
