"""Orders that the gateway keeps itself: what may be known of one that nobody was told of."""

from __future__ import annotations

import pytest

from ea_bridge.emulator.machine import build_terminal

from .intents import Intent, Reply
from .judge import Heard, Known, judge
from .shared_account import broker_of
from .truth import Truth
from .verdict import Verdict

UNKNOWN = Reply("unknown", "order_unresolved")
NOT_SENT = Reply("not_sent", "kill_switch_active")


def judged(platform: str, *replies: Reply, type_: str = "buy_stop_limit") -> Verdict:
    """Judge an order that is known to be done, without any command."""
    intent = Intent(id="a", method="place_order", params={"type": type_}, tag="ga")
    intent.replies += replies
    truth, verdict = Truth(broker_of(build_terminal(seed=1, platform=platform))), Verdict()
    judge([intent], Heard({"a": Known("done", reconciled=True)}, []), truth, verdict)
    return verdict


@pytest.mark.parametrize("replies", [(), (UNKNOWN,), (NOT_SENT, UNKNOWN)])
def test_it_may_be_kept_after_a_kill(replies: tuple[Reply, ...]) -> None:
    """Its row was on the disk before anybody was answered."""
    assert judged("mt4", *replies).is_right


def test_who_was_told_that_it_was_not_sent_was_told_wrong() -> None:
    """It would trade all the same."""
    assert not judged("mt4", UNKNOWN, NOT_SENT).is_right


@pytest.mark.parametrize(("platform", "type_"), [("mt5", "buy_stop_limit"), ("mt4", "buy_stop")])
def test_others_are_sent(platform: str, type_: str) -> None:
    """And cannot be done without a command."""
    assert not judged(platform, UNKNOWN, type_=type_).is_right
