"""Commands that the terminal's table lacks: when that is believed."""

from __future__ import annotations

import pytest
from journal_scene import LOST, Kept
from test_reconcile import filled, lose_an_order, mine, outcome

from gateway.trading.reconcile import patience

__all__ = ["lose_an_order"]


async def test_never_taken_is_not_sent(lost: Kept) -> None:
    """On a later link, by the same terminal."""
    lost.results("absent")
    await lost.look()
    assert await outcome(lost) == "not_sent"


async def test_never_taken_is_sure_on_the_same_start_of_the_ea(lost: Kept) -> None:
    """What an EA has in its memory has no end that may be missing, whatever its version; the
    daemon may have been started anew meanwhile."""
    lost.restart()
    lost.results("absent")
    await lost.look()
    assert await outcome(lost) == "not_sent"


@pytest.mark.parametrize(
    ("caps", "expected"), [("", "unknown"), (",sure_absent", "not_sent")], ids=["old EA", "new EA"]
)
async def test_never_taken_after_another_start_of_the_ea(
    lost: Kept, caps: str, expected: str
) -> None:
    """A power cut may have taken the end of the table. An EA that knows that says so of itself;
    one of an earlier version calls an order absent that was executed."""
    lost.equip(f"ticks,book,deals,check,results{caps}", boot="b2")
    lost.results("absent")
    await lost.look()
    assert await outcome(lost) == expected


@pytest.mark.parametrize("is_there", [True, False])
async def test_after_a_start_of_an_old_ea_the_account_tells(
    lost: Kept, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """As where the table has forgotten the command."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    lost.equip("ticks,book,deals,check,results", boot="b2")
    lost.results("absent")
    if is_there:
        lost.scene.script.answers["history_orders_get"] = [filled(900, mine())]
    await lost.look()
    assert await outcome(lost) == ("done" if is_there else "rejected")


async def test_another_terminal_cannot_know(lost: Kept) -> None:
    """A table of another installation has never seen the command, and says so."""
    lost.equip("ticks,book,deals,check,results", fp="e" * 64)
    lost.results("absent")
    await lost.look()
    assert await outcome(lost) == "unknown"


async def test_on_the_same_link_it_may_still_come(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its time to begin is over: then the terminal will not begin any more."""
    monkeypatch.setattr(patience, "SURE_S", -3600.0)
    kept.scene.script.answers |= {"order_send": LOST, "history_orders_get": []}
    await kept.fail("a")
    kept.results("absent")
    monkeypatch.setattr(patience, "SURE_S", 3600.0)
    await kept.look()
    assert await outcome(kept) == "unknown"
    monkeypatch.setattr(patience, "SURE_S", -3600.0)
    await kept.look()
    assert await outcome(kept) == "not_sent"
