"""What callers are told is compared with what they were told before."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
import pytest

from gateway.trading.requests import FIRST_HELD

from .invariants import Invariants
from .ledger_truth import Command, LedgerTruth
from .told_rules import ToldRules, check_found

ACCOUNT = (1, "Demo")


class Caller:
    """A caller who asks for the same again and again."""

    def __init__(self) -> None:
        self.invariants = Invariants(lambda: 0.0)
        self.seldom: list[str] = []
        self.rules = ToldRules(self.invariants, self.seldom.append)

    def hear(
        self,
        answer: dict[str, Any],
        method: str = "place_order",
        id_: str = "a",
        life: int = 1,
        between: tuple[float, float] = (0.0, 0.0),
    ) -> bool:
        """Take an answer; whether all is right so far."""
        params = {"client_order_id": id_, "symbol": "EURUSD"}
        message = {"id": 1, "method": method, "params": params}
        self.rules.answered(ACCOUNT, [message], [{"id": 1, **answer}], life, *between)
        return not self.invariants.breaks


@pytest.fixture(name="caller")
def make_caller() -> Caller:
    return Caller()


def test_an_end_that_could_not_be_written_may_be_lost() -> None:
    """With the life that told it, while its disk had failed, if no command stands for it."""
    missing = {"error": {"data": {"name": "order_not_found"}}}
    for has_failed, order, life, is_right in (
        (True, None, 2, True),
        (True, FIRST_HELD + 1, 2, True),
        (True, 11, 2, False),
        (True, None, 1, False),
        (False, None, 2, False),
    ):
        caller = Caller()
        caller.rules = ToldRules(caller.invariants, has_disk_failed=partial(bool, has_failed))
        told = {"result": {"order": {"order": order, "position": None, "deal": None}}}
        assert caller.hear(told)
        assert caller.hear(missing, "get_order", life=life) is is_right


def test_a_message_that_was_refused_unread_says_nothing_of_an_order(caller: Caller) -> None:
    """Such as one whose body did not come in time: its id may stand for anything."""
    assert caller.hear(DONE)
    assert caller.hear({"id": None, **NOT_SENT})
    assert not caller.hear(NOT_SENT)


def done(order: int = 11, position: int | None = 12) -> dict[str, Any]:
    return {"result": {"order": {"order": order, "position": position, "deal": None}}}


def refused(outcome: str | None, name: str = "order_rejected") -> dict[str, Any]:
    return {"error": {"data": {"outcome": outcome, "name": name}}}


def record(outcome: str, result: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"result": {"outcome": outcome, "result": result, "error": None, "reconciled": True}}


DONE, REJECTED = done(), refused("rejected")
NOT_SENT, UNKNOWN = refused("not_sent", "timeout"), refused("unknown", "order_unresolved")


@pytest.mark.parametrize(
    "answers",
    [
        (DONE, DONE, done(11, None)),
        (NOT_SENT, NOT_SENT, DONE),
        (UNKNOWN, REJECTED, REJECTED),
        (UNKNOWN, NOT_SENT, REJECTED),
        (DONE, refused("not_sent", "unauthorized"), refused(None, "overloaded"), DONE),
    ],
)
def test_what_can_all_be_true_is_right(caller: Caller, answers: tuple[dict[str, Any], ...]):
    """Whatever is told after what was not sent or not known; errors that speak of the call."""
    assert all(caller.hear(one) for one in answers)


@pytest.mark.parametrize(
    "answers",
    [
        (DONE, REJECTED),
        (REJECTED, DONE),
        (DONE, UNKNOWN),
        (REJECTED, refused("not_sent", "kill_switch_active")),
        (DONE, done(13)),
        (DONE, done(11, 14)),
    ],
)
def test_what_cannot_both_be_true_is_wrong(caller: Caller, answers: tuple[dict[str, Any], ...]):
    """One of two ends, or of two tickets, was a lie."""
    assert caller.hear(answers[0])
    assert not caller.hear(answers[1])


@pytest.mark.parametrize(
    "answer",
    [
        record("rejected"),
        record("pending"),
        record("done", done(13)["result"]),
        {"error": {"data": {"name": "order_not_found"}}},
    ],
)
def test_the_record_says_what_the_caller_was_told(caller: Caller, answer: dict[str, Any]):
    """``get_order`` is compared as well."""
    assert caller.hear(DONE)
    assert caller.hear(record("done", DONE["result"]), "get_order")
    assert not caller.hear(answer, "get_order")


HALTED = refused("not_sent", "kill_switch_active")


@pytest.mark.parametrize(
    ("answer", "method", "between", "is_right"),
    [
        (record("pending"), "get_order", (1.5, 2.5), True),
        (record("pending"), "get_order", (2.0, 3.0), False),
        (record("rejected"), "get_order", (1.5, 2.5), False),
        (HALTED, "place_order", (1.5, 2.5), True),
        (HALTED, "place_order", (2.0, 3.0), False),
    ],
)
def test_answers_may_cross_on_their_way(
    caller: Caller,
    answer: dict[str, Any],
    method: str,
    between: tuple[float, float],
    is_right: bool,  # one of many parameters
):
    """What was asked before the end was heard may be from before; what was asked after is not."""
    assert caller.hear(DONE, between=(1.0, 2.0))
    assert caller.hear(answer, method, between=between) is is_right


def test_equal_orders_may_change_their_tickets(caller: Caller):
    """Whose tags and results are lost: nobody can tell which is which. Others may not."""
    assert caller.hear(DONE)
    assert caller.hear(UNKNOWN, id_="b")
    assert caller.hear(record("done", done(13)["result"]), "get_order")
    assert caller.seldom == ["tickets of equal orders exchanged"]


def test_a_new_life_may_have_to_find_out_again(caller: Caller):
    """What the crash took; the end that it finds is the same, and known from then on."""
    assert caller.hear(DONE)
    assert caller.hear(UNKNOWN, life=2)
    assert caller.hear(DONE, life=2)
    assert not caller.hear(UNKNOWN, life=2)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_was_found_out_is_told_from_the_disk(head: bytes):
    """And not from what is to be written; what nobody is sure of is not judged."""
    truth, invariants = LedgerTruth(), Invariants(lambda: 0.0)
    truth.add({7: Command(1, "tid", False)}, is_durable=True)
    told = {"client_order_id": "a", "state": "done", "reconciled": True}
    data = head + orjson.dumps([{"id": 1, "result": {**told, "sends": [{"command_id": 7}]}}])
    check_found(data, truth, invariants)
    check_found(data[:-5], truth, invariants)
    truth.move({1: "done"})
    check_found(data, truth, invariants)
    assert invariants.breaks == []
    truth.move({1: "unknown"})
    check_found(data, truth, invariants)
    assert [one.rule for one in invariants.breaks] == ["told"]


def test_an_answer_may_be_older_than_the_next_attempt_under_its_id() -> None:
    """It was read before another command was journaled for the order, and is a batch's first."""
    truth, invariants = LedgerTruth(), Invariants(lambda: 0.0)
    truth.add({7: Command(1, "tid", False)}, is_durable=True)
    told = {"client_order_id": "a", "state": "not_sent", "reconciled": True}
    data = orjson.dumps([{"id": 1, "result": {**told, "sends": [{"command_id": 7}]}}])
    truth.move({1: "not_sent"})
    check_found(data, truth, invariants)
    truth.add({8: Command(1, "tid", False)}, is_durable=True)
    truth.move({1: "journaled"})
    check_found(data, truth, invariants)
    assert invariants.breaks == []
