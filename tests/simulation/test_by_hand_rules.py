"""What persons say of unknown orders is judged by the trail, and by the broker's books."""

from __future__ import annotations

from typing import Any

import pytest

from ea_bridge.model import TradeAction, TradeRequest, TradeResult

from .by_hand_rules import HandRules, faults_of_settled
from .intents import Intent, Reply
from .invariants import Invariants
from .told_rules import ToldRules
from .truth import Executed

ACCOUNT = (1, "Demo")
REQUEST = TradeRequest(action=TradeAction.DEAL)
EXECUTED = Executed(REQUEST, TradeResult(retcode=10009, order=7), 1, 0)
NO: dict[str, Any] = {"outcome": "rejected", "ticket": None, "time_contradicted": None}
YES = NO | {"outcome": "done", "ticket": 7}


def entry(state: str, settlement: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return an entry of the trail; what is null is left out there."""
    known = {name: one for name, one in (settlement or {}).items() if one is not None}
    return {"object": "a", "state": state} | ({"settlement": known} if known else {})


@pytest.mark.parametrize(
    ("entries", "is_right"),
    [
        ((entry("journaled"), entry("unknown"), entry("rejected", NO)), True),
        ((entry("journaled"), entry("rejected", NO)), True),
        ((entry("unknown"), entry("done")), True),
        (
            (
                entry("unknown"),
                entry("rejected", NO),
                entry("done", NO | {"time_contradicted": 5}),
            ),
            True,
        ),
        ((entry("done"), entry("rejected", NO)), False),
        ((entry("not_sent"), entry("rejected", NO)), False),
        ((entry("unknown"), entry("rejected", NO), entry("done", YES)), False),
        ((entry("unknown"), entry("done", NO)), False),
        ((entry("unknown"), entry("rejected", NO), entry("journaled")), False),
        ((entry("unknown"), entry("done", NO | {"time_contradicted": 5})), False),
    ],
)
def test_only_what_is_unknown_is_settled_once(entries: Any, is_right: bool) -> None:
    """And is never sent again."""
    wrong: list[str] = []
    rules = HandRules(wrong.append)
    for one in entries:
        rules.note(one, is_executed=True)
    assert (not wrong) == is_right, wrong


def test_who_was_contradicted_was_wrong() -> None:
    """What is told to be done after all was executed."""
    wrong: list[str] = []
    rules = HandRules(wrong.append)
    assert not rules.note(entry("unknown"), is_executed=False)
    assert not rules.note(entry("rejected", NO), is_executed=False)
    assert rules.note(entry("done", NO | {"time_contradicted": 5}), is_executed=False)
    assert len(wrong) == 1


@pytest.mark.parametrize(
    ("settlement", "outcome", "ticket", "is_executed", "shows", "told", "is_right"),
    [
        (NO, "rejected", None, False, False, (), True),
        (YES, "done", 7, True, True, (), True),
        (NO, "rejected", None, True, False, ("rejected",), True),
        (NO | {"time_contradicted": 5}, "done", 7, True, True, ("rejected", "done"), True),
        (NO, "rejected", None, True, True, (), False),
        (YES | {"ticket": 8}, "done", 8, True, True, (), False),
        (NO, "done", 7, True, True, (), False),
        (NO, "unknown", None, False, False, (), False),
        (None, "done", 7, True, True, (), False),
        (NO | {"time_contradicted": 5}, "done", 7, False, False, (), False),
        (NO | {"time_contradicted": 5}, "done", 9, True, True, (), False),
        (NO, "rejected", None, False, False, ("done",), False),
    ],
)
def test_a_word_stays_until_the_broker_says_otherwise(
    settlement: Any,
    outcome: str,
    ticket: int | None,
    is_executed: bool,
    shows: bool,
    told: tuple[str, ...],
    is_right: bool,
) -> None:
    """Where the order shows with its tag, the word is contradicted."""
    record = {"outcome": outcome, "settlement": settlement, "result": {"order": {"order": ticket}}}
    replies = [Reply(one) for one in told]
    intent = Intent(id="a", method="place_order", params={}, tag="ga", replies=replies)
    executed = [EXECUTED] if is_executed else []
    wrong = list(faults_of_settled(intent, record, executed, is_void=False, shows=shows))
    assert (not wrong) == is_right, wrong


def test_a_contradicted_word_may_be_under_way_still() -> None:
    """Until somebody was told what is so: whoever asks after that is told the same."""
    invariants = Invariants(lambda: 0.0)
    rules = ToldRules(invariants)
    message = {"id": 1, "method": "place_order", "params": {"client_order_id": "a"}}
    rejected = {"id": 1, "error": {"data": {"name": "order_rejected", "outcome": "rejected"}}}
    done = {"id": 1, "result": {"order": {"order": 7, "position": None, "deal": None}}}
    rules.answered(ACCOUNT, message, rejected, 1, 1.0, 2.0)
    rules.contradict(ACCOUNT, "a", "rejected", None)
    rules.answered(ACCOUNT, message, rejected, 1, 3.0, 4.0)
    rules.answered(ACCOUNT, message, done, 1, 4.5, 5.0)
    rules.answered(ACCOUNT, message, rejected, 1, 4.0, 6.0)
    assert not invariants.breaks
    rules.answered(ACCOUNT, message, rejected, 1, 7.0, 8.0)
    assert invariants.breaks
