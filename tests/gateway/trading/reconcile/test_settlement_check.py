"""What counts against a person's word, and what does not."""

from __future__ import annotations

import itertools

import pytest
from journal_scene import Kept
from msgspec.structs import replace
from scripted_answers import DONE
from test_ends import TABLELESS
from test_reconcile import filled, mine

from gateway.errors import TerminalDisconnected
from gateway.trading.journal import Intent, Stage
from gateway.trading.journal.intents import WATCHED_MS
from gateway.trading.reconcile.patience import Patience, RetrySchedule
from gateway.trading.reconcile.reported_results import ReportedResults
from gateway.trading.reconcile.settlement import (
    SettlementCheck,
    SettlementClaim,
    settle,
)

EXECUTED = SettlementClaim(executed=True, ticket=900, by="token A")
NEVER = SettlementClaim(executed=False, ticket=None, by="token A")


def check_of(kept: Kept) -> SettlementCheck:
    """A check that looks each time."""
    check = SettlementCheck(kept.log, ReportedResults("mt5-a", kept.log.now_ms, Patience()))
    eternity = itertools.count(0.0, 1e6)
    check._schedule = RetrySchedule(kept.log.now_ms, eternity.__next__)
    return check


async def settled_by_hand(kept: Kept, said: SettlementClaim) -> Intent:
    """A buy of 0.1 whose answer was lost, and of which a person says how it ended."""
    await kept.lose("a")
    if said.executed:
        kept.scene.script.answers["history_orders_get"] = [filled(900, "rewritten")]
    return await settle(kept.scene.guarded, "a", said)


@pytest.fixture(name="tableless")
def without_a_table(kept: Kept) -> Kept:
    """A terminal that keeps no results: only its account can tell."""
    kept.equip(TABLELESS)
    return kept


async def test_there_is_work_for_a_day(kept: Kept) -> None:
    """Longer than that no answer is on its way, and no history lags."""
    check = check_of(kept)
    assert not check.has_work(kept.here())
    await settled_by_hand(kept, NEVER)
    assert check.has_work(kept.here())
    kept.scene.now_ms += WATCHED_MS + 1
    assert not check.has_work(kept.here())


async def test_an_order_that_is_only_alike_contradicts_nobody(tableless: Kept) -> None:
    """The person has looked at it, and may know whose it is; a tag is no likeness."""
    intent = await settled_by_hand(tableless, NEVER)
    check = check_of(tableless)
    tableless.scene.script.answers["history_orders_get"] = [filled(900, "rewritten")]
    await check.look(tableless.scene.guarded, tableless.here())
    assert intent.stage == "rejected"
    tableless.scene.script.answers["history_orders_get"] = [filled(900, mine())]
    await check.look(tableless.scene.guarded, tableless.here())
    assert intent.stage == "done"
    assert intent.settlement is not None
    assert intent.settlement.contradicted_ms == tableless.scene.now_ms
    assert not check.has_work(tableless.here())


async def test_two_orders_with_its_tag_tell_nothing(tableless: Kept) -> None:
    """One of them is not its own, and nobody can say which."""
    intent = await settled_by_hand(tableless, NEVER)
    both = [filled(900, mine()), filled(901, mine())]
    tableless.scene.script.answers["history_orders_get"] = both
    await check_of(tableless).look(tableless.scene.guarded, tableless.here())
    assert intent.stage is Stage.REJECTED
    assert check_of(tableless).has_work(tableless.here())


async def test_a_table_that_lacks_it_does_not_undo_what_was_executed(kept: Kept) -> None:
    """A terminal that was installed anew has lost what it has executed as well."""
    intent = await settled_by_hand(kept, EXECUTED)
    kept.results("absent")
    await check_of(kept).look(kept.scene.guarded, kept.here())
    assert intent.stage is Stage.DONE
    assert intent.settlement is not None
    assert not intent.settlement.confirmed
    assert check_of(kept).has_work(kept.here()), "the truth may still come"


async def test_the_same_word_of_the_terminal_ends_the_watch(kept: Kept) -> None:
    """Nobody is told anything new."""
    intent = await settled_by_hand(kept, EXECUTED)
    told = len(kept.settled)
    kept.results("done", replace(DONE, order=900, position=900, volume=0.1))
    await check_of(kept).look(kept.scene.guarded, kept.here())
    assert intent.settlement is not None
    assert intent.settlement.confirmed
    assert not check_of(kept).has_work(kept.here())
    assert len(kept.settled) == told


async def test_another_account_says_nothing_of_it(tableless: Kept) -> None:
    """A look is given up if the terminal was logged in elsewhere meanwhile."""
    intent = await settled_by_hand(tableless, NEVER)
    account = tableless.here()
    tableless.scene.script.answers["history_orders_get"] = [filled(900, mine())]

    def move() -> None:
        tableless.scene.hello = replace(tableless.scene.hello, login=99)

    tableless.scene.script.on_the_way = move
    with pytest.raises(TerminalDisconnected):
        await check_of(tableless).look(tableless.scene.guarded, account)
    assert intent.stage is Stage.REJECTED
