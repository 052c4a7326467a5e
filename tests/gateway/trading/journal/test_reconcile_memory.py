"""What a reconciler remembers of commands, which ends with them."""

from __future__ import annotations

from typing import Any

from journal_scene import Kept

from gateway.trading.journal import Stage


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
    assert reconciler._pacing._looks == {}
