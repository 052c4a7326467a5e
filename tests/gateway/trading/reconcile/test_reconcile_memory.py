"""What a reconciler remembers of commands, which ends with them."""

from __future__ import annotations

from typing import Any

from journal_scene import Kept

from ea_bridge.model import TradeResult, TradeRetcode
from gateway.trading.journal import Stage
from gateway.trading.journal.intents import Presumed


async def test_nothing_is_remembered_of_what_somebody_else_found_out(kept: Kept) -> None:
    """Another terminal of the account has written the end while this one was asking its own."""
    await kept.lose("a")
    [intent] = kept.log.unresolved(kept.here())
    kept.results("taken")
    answers = kept.scene.script.answers
    table, lists = answers["results_get"], answers["positions_get"]

    def found_out(params: Any) -> Any:
        intent.stage = intent.sends[0].stage = Stage.NOT_SENT
        kept.log._unresolved.clear()
        return lists

    answers |= {"results_get": table, "positions_get": found_out}
    await kept.look()
    reconciler = kept.reconciler
    assert kept.log.unresolved(kept.here()) == []
    assert reconciler._patience._heard_since_s == {}
    assert reconciler._patience._traceless_since_s == {}
    assert reconciler._schedule._looks == {}


async def test_nothing_is_remembered_of_what_was_found_out_before_the_link_was_gone(
    kept: Kept,
) -> None:
    """Another terminal of the account was faster; this one is gone at its next look."""
    await kept.lose("a")
    [intent] = kept.log.unresolved(kept.here())
    kept.results("taken")
    await kept.look()
    patience = kept.reconciler._patience
    assert patience._heard_since_s
    intent.stage = intent.sends[0].stage = Stage.NOT_SENT
    kept.log._unresolved.clear()
    kept.scene.disconnect()
    assert await kept.reconciler._round()
    assert patience._heard_since_s == {}
    assert kept.reconciler._schedule._looks == {}


async def test_a_table_changes_no_end_that_was_found_meanwhile(kept: Kept) -> None:
    """Its answer was unclear, and would make an unknown outcome of what is told to be rejected."""
    await kept.lose("a")
    [intent] = kept.log.unresolved(kept.here())
    kept.results("done", TradeResult(retcode=TradeRetcode.ERROR))
    answers = kept.scene.script.answers
    table = answers["results_get"]

    def answer_late(params: Any) -> Any:
        kept.reconciler._reported.presume(intent.sends[0], Presumed.TRACELESS)
        return table(params)

    answers["results_get"] = answer_late
    await kept.look()
    error = await kept.fail("a")
    assert (intent.stage, error.name()) == (Stage.REJECTED, "order_rejected")
    assert error.data["outcome"] == "rejected"
