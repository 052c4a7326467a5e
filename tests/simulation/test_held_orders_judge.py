"""Orders that the gateway keeps itself: what may be known of one that nobody was told of."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.model import Order, OrderState, TradeRequest, TradeResult
from gateway.home.ledger import TABLES
from gateway.storage.ledger import Ledger
from gateway.trading.contingent.records import HeldOrder
from gateway.trading.journal import AccountKey
from gateway.trading.requests import tag

from .contingent_truth import HeldTruth
from .intents import Intent, Reply
from .judge import Heard, Known, judge
from .shared_account import broker_of
from .truth import Executed, Truth
from .verdict import Verdict

UNKNOWN = Reply("unknown", "order_unresolved")
NOT_SENT = Reply("not_sent", "kill_switch_active")


def judged(platform: str, *replies: Reply, type_: str = "buy_stop_limit") -> Verdict:
    """Judge an order that is known to be done, without any command."""
    intent = Intent(id="a", method="place_order", params={"type": type_}, tag="ga")
    intent.replies += replies
    return judged_intent(platform, intent)


def judged_intent(platform: str, intent: Intent) -> Verdict:
    """Judge what is known to be done, without any command."""
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


@pytest.mark.parametrize(
    ("tries", "is_right"),
    [
        # where each try went, and whether it was answered that nothing was sent
        ((("one", False), ("two", True)), False),
        ((("one", True), ("one", False)), True),
        ((("one", False), ("one", True)), True),
        ((("one", True), ("two", False)), True),
        ((("one", False), ("one", True), ("two", True)), False),
    ],
)
def test_a_try_that_was_never_answered_may_have_kept_it(
    tries: tuple[tuple[str, bool], ...], is_right: bool
) -> None:
    """Unless a later life of the daemon has said that nothing was sent."""
    intent = Intent(id="a", method="place_order", params={"type": "buy_stop_limit"}, tag="ga")
    for asked_s, (address, is_answered) in enumerate(tries):
        if is_answered:
            intent.hear(NOT_SENT, address, float(asked_s))
        else:
            intent.hear_nothing(address, float(asked_s))
    assert judged_intent("mt4", intent).is_right is is_right


def test_a_silence_that_is_noticed_late_says_nothing_of_a_later_life() -> None:
    """A half-open connection is given up long after its daemon has died."""
    intent = Intent(id="a", method="place_order", params={"type": "buy_stop_limit"}, tag="ga")
    intent.hear(NOT_SENT, "two", 2.0)
    intent.hear_nothing("one", 1.0)
    assert not judged_intent("mt4", intent).is_right


@pytest.mark.parametrize(("platform", "type_"), [("mt5", "buy_stop_limit"), ("mt4", "buy_stop")])
def test_others_are_sent(platform: str, type_: str) -> None:
    """And cannot be done without a command."""
    assert not judged(platform, UNKNOWN, type_=type_).is_right


HERE = AccountKey(1, "Demo")


@cache
def shown() -> Order:
    """Return an order as a terminal shows it. Only a test that needs one makes the terminal."""
    return broker_of(build_terminal(seed=1, platform="mt4")).orders()[0]


def kept(name: str, state: OrderState) -> HeldOrder:
    """An order whose limit order was sent once, and that is over."""
    order = replace(shown(), type=6, state=int(state), price_stoplimit=1.1, sl=0.0, tp=0.0)
    held = HeldOrder(
        account=HERE, tid="t", client_order_id=name, order=order, words="", created_ms=0
    )
    return replace(held, stage="ended", attempt=1)


@pytest.mark.parametrize(("told", "count"), [("PLACED", 0), ("REJECTED", 1)])
def test_equal_limit_orders_may_have_changed_places(tmp_path: Path, told: str, count: int) -> None:
    """One of two was executed as the terminal died, and its comment is lost: one is told so."""
    first, second = kept("a", OrderState[told]), kept("b", OrderState.REJECTED)
    ledger = Ledger(tmp_path, TABLES)
    held, truth = HeldTruth(ledger), Truth(broker_of(build_terminal(seed=1, platform="mt4")))
    ledger.close()
    held.rows |= {1: first, 2: second}
    request = TradeRequest(
        action=5, symbol=shown().symbol, type=2, price=1.1, volume=shown().volume_initial
    )
    done = Executed(request, TradeResult(retcode=10009, order=7), command=1, at_msc=0)
    truth.tagged[tag(*HERE, second.attempt_id)] = [done]
    assert len(list(held.faults(HERE, truth))) == count


@pytest.mark.parametrize(("stage", "faults", "unknown"), [("unknown", 0, 1), ("rejected", 1, 0)])
async def test_one_whose_limit_may_have_been_sent_waits_for_that(
    tmp_path: Path, stage: str, faults: int, unknown: int
) -> None:
    """Its price is there; once the journal knows the end of its attempt it has to go on."""
    terminal = build_terminal(seed=1, platform="mt4")
    broker = broker_of(terminal)
    tick = broker._prices.tick(shown().symbol)
    assert tick is not None
    held = kept("a", OrderState.PLACED)
    order = replace(held.order, price_open=tick.ask - 1, price_stoplimit=tick.ask - 0.5)
    held = replace(held, stage="sending", order=order)
    ledger = Ledger(tmp_path, TABLES)
    row = (*HERE, held.attempt_id, "t", "daemon", "place_order", "{}", stage, 0, 0, 0)
    names = "login, server, client_order_id, terminal, actor, method, params, stage"
    times = "reconciled, created_ms, updated_ms"
    marks = ", ".join("?" * len(row))
    insert = f"INSERT INTO orders ({names}, {times}) VALUES ({marks})"  # noqa: S608
    await ledger.write(lambda connection: connection.execute(insert, row))
    kept_orders = HeldTruth(ledger)
    ledger.close()
    kept_orders.rows[1] = held
    assert len(list(kept_orders.faults(HERE, Truth(broker)))) == faults
    assert len(kept_orders.unknown(HERE)) == unknown
