"""What a terminal remembers of a gateway whose home was restored, where it tells only by half."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from journal_scene import NOTHING, Kept, SceneTerminals
from msgspec.structs import replace
from scripted_answers import DONE, POSITION
from test_reconcile import filled, mine

from ea_bridge.errors import CommandFailed
from gateway import errors
from gateway.storage.store import StoreError
from gateway.trading.journal import SqliteJournal
from gateway.trading.reconcile import used_ids
from gateway.trading.reconcile.used_ids import UsedIdScan


@pytest.fixture(name="restored")
def restore(kept: Kept) -> Kept:
    """A journal that is empty, before a terminal that may remember."""
    found = UsedIdScan(kept.log, SceneTerminals(kept.scene))
    kept.scene.guarded.journal = SqliteJournal(kept.log, "mt5-a", kept.here, found)
    kept.scene.script.answers |= {**NOTHING, "order_send": DONE}
    return kept


def sent(kept: Kept) -> int:
    """How many orders were sent."""
    return kept.scene.script.ops().count("order_send")


async def test_what_has_shown_counts_though_the_past_cannot_be_seen(restored: Kept) -> None:
    """An open position carries its tag as well as a past order does."""
    restored.scene.script.answers |= {
        "positions_get": [replace(POSITION, comment=mine())],
        "history_orders_get": CommandFailed("history_orders_get", 4014),
    }
    refused = await restored.fail("a")
    assert refused.data["reason"] == "journal_restored"
    assert sent(restored) == 0
    await restored.buy("b")


async def test_one_failure_of_the_terminal_sends_nothing_twice(restored: Kept) -> None:
    """The next look tells; one that fails for ever does not keep orders back for ever."""
    restored.scene.script.answers["history_orders_get"] = CommandFailed("history_orders_get", 4024)
    assert (await restored.fail("a")).data["outcome"] == "not_sent"
    restored.scene.script.answers["history_orders_get"] = [filled(900, mine())]
    assert (await restored.fail("a")).data["order"] == 900
    assert sent(restored) == 0


async def test_a_journal_that_cannot_be_read_a_moment_holds_no_order_up(
    restored: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would only tell how many orders it lacks; what the terminal remembers counts."""

    def fail(*_: object) -> set[int]:
        raise StoreError("the disk reports errors")

    restored.scene.script.answers["history_orders_get"] = [filled(900, mine())]
    with monkeypatch.context() as broken:
        broken.setattr(restored.log, "claimed", fail)
        assert (await restored.fail("a")).data["order"] == 900
    await restored.buy("b")
    assert sent(restored) == 1


async def test_a_terminal_that_always_fails_gets_its_orders(restored: Kept) -> None:
    """After a few tries."""
    restored.scene.script.answers["history_orders_get"] = CommandFailed("history_orders_get", 4024)
    for _ in range(used_ids.TRIES - 1):
        await restored.fail("a")
    assert (await restored.buy("a"))["order"]["order"] == DONE.order


async def test_a_terminal_that_has_just_linked_says_first_whether_its_broker_is_there(
    restored: Kept,
) -> None:
    """Without it, its lists are empty; the first heartbeat tells."""
    script = restored.scene.script
    script.broker = None
    asking = asyncio.create_task(restored.fail("a"))
    await asyncio.sleep(0.05)
    script.broker = False
    assert isinstance(await asking, errors.BrokerDisconnected)
    script.broker = True
    script.answers["history_orders_get"] = [filled(900, mine())]
    assert (await restored.fail("a")).data["order"] == 900
    assert sent(restored) == 0


async def test_a_terminal_that_never_says_so_is_asked_all_the_same(
    restored: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while."""
    monkeypatch.setattr(used_ids, "HEARTBEAT_S", 0.01)
    restored.scene.script.broker = None
    assert (await restored.buy("a"))["order"]["order"] == DONE.order


class Slow:
    """A terminal that does not say what it remembers."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept.scene.guarded, name)

    async def request(self, *_: Any, **__: Any) -> Any:
        """Wait for what does not come."""
        await asyncio.Future()


@pytest.mark.parametrize("fails", [True, False])
async def test_nothing_holds_up_what_takes_risk_away(
    restored: Kept, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """A position is closed though nobody can see the past; a new order waits for that."""
    monkeypatch.setattr(used_ids, "REDUCING_S", 0.05)
    scene = restored.scene
    slow = SceneTerminals(scene, lambda _: Slow(restored))  # type: ignore[arg-type, return-value]  # quacks like one
    found = UsedIdScan(restored.log, SceneTerminals(scene) if fails else slow)
    scene.guarded.journal = SqliteJournal(restored.log, "mt5-a", restored.here, found)
    scene.script.answers |= {
        "positions_get": [POSITION],
        "history_orders_get": CommandFailed("history_orders_get", 4401),
    }
    receipt = await scene.ask("close_position", ticket=POSITION.ticket, client_order_id="out")
    assert receipt["sent"] is True
    if fails:
        assert isinstance(await restored.fail("new"), errors.HistoryLoading)
    await found.stop()
