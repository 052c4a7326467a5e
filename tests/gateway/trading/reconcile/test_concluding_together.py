"""Ends of many orders that are found at once: they wait for their deals side by side."""

from __future__ import annotations

import pytest
from journal_scene import LOST, NOTHING, Kept
from scripted_answers import DONE

from ea_bridge.commands import HistoryParams, ResultsParams, StoredResult
from ea_bridge.errors import NotSent
from ea_bridge.model import Deal, TradeResult
from gateway.trading import receipts
from gateway.trading.reconcile.service import MAX_TOGETHER

FILLS = 50


async def lose(kept: Kept, *names: str) -> list[int]:
    """Place orders whose answers are lost; then the terminal is back. Return their commands."""
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    for name in names:
        await kept.fail(name)
    kept.link()
    return sorted(send["command_id"] for send in kept.rows("sends"))


def filled(ticket: int) -> TradeResult:
    """Return an answer that does not tell the price: the deals do."""
    return TradeResult(retcode=DONE.retcode, order=ticket, volume=0.1)


async def test_fills_wait_for_their_deals_side_by_side(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty whose deals do not show take as long as two; the terminal has room for others."""
    monkeypatch.setattr(receipts, "DEAL_DELAYS_S", (0.0,))
    monkeypatch.setattr(receipts, "LATER_DELAYS_S", (0.0,))
    ids = await lose(kept, *(f"a{number}" for number in range(FILLS)))

    def tell(params: ResultsParams) -> list[StoredResult]:
        asked = map(int, params.ids.split(","))
        return [StoredResult(id=one, state="done", result=filled(one)) for one in asked]

    asked: list[int] = []
    waiting: set[int] = set()
    most = 0

    def look(params: HistoryParams) -> list[Deal]:
        nonlocal most
        assert params.ticket is not None
        asked.append(params.ticket)
        waiting.symmetric_difference_update({params.ticket})
        most = max(most, len(waiting))
        return []

    kept.scene.script.answers |= {"results_get": tell, "history_deals_get": look}
    await kept.look()
    assert sorted(asked) == sorted(ids * 2)
    assert most == MAX_TOGETHER < FILLS
    assert {row["stage"] for row in kept.rows()} == {"done"}
    assert len(kept.settled) == FILLS


async def test_one_that_has_no_end_yet_holds_up_no_other(kept: Kept) -> None:
    """The link breaks over the deals of one; the end of the next is written all the same."""
    first, _ = await lose(kept, "a", "b")

    def tell(params: ResultsParams) -> list[StoredResult]:
        asked = map(int, params.ids.split(","))
        refused = TradeResult(retcode=10019)
        ends = {one: filled(900) if one == first else refused for one in asked}
        return [StoredResult(id=one, state="done", result=end) for one, end in ends.items()]

    def break_off(_: HistoryParams) -> list[Deal]:
        raise NotSent("the link broke")

    kept.scene.script.answers |= {"results_get": tell, "history_deals_get": break_off}
    await kept.look()
    stages = {row["client_order_id"]: row["stage"] for row in kept.rows()}
    assert stages == {"a": "unknown", "b": "rejected"}
