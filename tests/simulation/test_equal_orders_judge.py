"""Equal orders without tags may be told each other's ends; what differs may not."""

from __future__ import annotations

import pytest

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.model import TradeRequest, TradeResult

from .intents import Intent, Json, Reply
from .judge import Heard, Known, judge
from .shared_account import broker_of
from .truth import Executed, Truth
from .verdict import Verdict

BUY: Json = {"symbol": "EURUSD", "volume": 0.02, "magic": 7, "side": "buy"}
UNKNOWN = Reply("unknown", "order_unresolved")


def judged(first: Json, second: Json, executed: int = 1) -> Verdict:
    """Judge two orders, of which the first is told to be done, and the second was executed."""
    told = {
        "a": Known("done", reconciled=True),
        "b": Known("rejected", reconciled=True, commands=(5,)),
    }
    intents = [
        Intent(id=id_, method="place_order", params=params, tag=f"g{id_}")
        for id_, params in (("a", first), ("b", second))
    ]
    for intent in intents:
        intent.replies += [UNKNOWN, Reply(told[intent.id].outcome)]
    truth, verdict = Truth(broker_of(build_terminal(seed=1))), Verdict()
    one = Executed(TradeRequest(action=1), TradeResult(retcode=10009, order=9), 5, 0)
    truth.tagged["gb"] = [one] * executed
    judge(intents, Heard(told, []), truth, verdict)
    return verdict


@pytest.mark.parametrize("more", [{}, {"type_filling": "ioc"}, {"deviation": 5}])
def test_equal_orders_may_have_changed_places(more: Json) -> None:
    """Also where they differ in what nobody is told apart by."""
    for pair in ((BUY | more, BUY), (BUY, BUY | more)):
        verdict = judged(*pair)
        assert verdict.is_right
        assert verdict.assigned == 2


@pytest.mark.parametrize("more", [{"sl": 1.1}, {"magic": 8}, {"volume": 0.03}, {"side": "sell"}])
def test_others_may_not(more: Json) -> None:
    """Each is wrong then."""
    verdict = judged(BUY | more, BUY)
    assert (len(verdict.missing), len(verdict.wrong), verdict.assigned) == (1, 1, 0)


def test_as_many_are_told_to_be_done_as_were_executed() -> None:
    """One that is told so and for which none was executed is missing."""
    assert len(judged(BUY, BUY, executed=0).missing) == 1
