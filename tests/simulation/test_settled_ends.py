"""The ends of orders that streams told: what cannot be is noticed, whoever hears it and when."""

from __future__ import annotations

import itertools

import pytest

from .settled_ends import SettledEnds, ToldEnd
from .stream_judge import StreamRecord


def end(seq: int, outcome: str, *, by_hand: bool = False, epoch: str = "a.1", life: int = 1):
    """Return an end that the channel of the terminal ``main`` told."""
    return ToldEnd("main", life, epoch, seq, outcome, by_hand)


def heard(*ends: ToldEnd) -> tuple[bool, str]:
    """Let some ends be heard; return whether one contradicts another, and the last outcome."""
    settled = SettledEnds()
    contradicted = [settled.add("order", one) is not None for one in ends]
    return any(contradicted), settled.last().get("order", "not_sent")


RIGHT: dict[str, tuple[ToldEnd, ...]] = {
    "sent again, and done": (end(34, "not_sent"), end(37, "done")),
    "not sent twice": (end(34, "not_sent"), end(37, "not_sent"), end(38, "rejected")),
    "told again after a restart": (end(9, "done"), end(2, "done", epoch="b.4", life=2)),
    "done after an EA's restart": (end(9, "not_sent", epoch="a.9"), end(1, "done", epoch="a.10")),
    "settled by hand, and otherwise": (
        end(3, "rejected", by_hand=True),
        end(4, "done", by_hand=True),
    ),
}
WRONG: dict[str, tuple[ToldEnd, ...]] = {
    "done, then not sent": (end(34, "done"), end(37, "not_sent")),
    "done, then rejected": (end(34, "done"), end(37, "rejected")),
    "not sent after a restart": (end(34, "done"), end(1, "not_sent", epoch="b.1", life=2)),
    "not sent after an EA's restart": (
        end(9, "done", epoch="a.9"),
        end(1, "not_sent", epoch="a.10"),
    ),
    "by hand, and no more": (end(3, "done", by_hand=True), end(4, "rejected")),
}


@pytest.mark.parametrize("name", RIGHT)
def test_ends_that_one_order_may_have_are_right(name: str) -> None:
    """A slow subscriber may hear the first when others have long heard the last."""
    told = RIGHT[name]
    for order in itertools.permutations((*told, told[0])):
        assert heard(*order) == (False, told[-1].outcome), order


@pytest.mark.parametrize("name", WRONG)
def test_ends_that_contradict_each_other_are_noticed(name: str) -> None:
    """In whatever order they are heard."""
    for order in itertools.permutations(WRONG[name]):
        assert heard(*order)[0], order


def test_two_terminals_of_an_account_tell_one_end() -> None:
    """Which told first is not known: that it was not sent may be the earlier one."""
    other = ToldEnd("partner", 1, "a.2", 1, "done")
    for order in itertools.permutations((end(34, "not_sent"), other)):
        assert heard(*order) == (False, "done")
    for order in itertools.permutations((end(34, "rejected"), other)):
        assert heard(*order)[0]


def test_two_ends_of_one_order_are_accused() -> None:
    """By the place of each event, with the name of who hears the second."""
    record = StreamRecord()
    record.check_epoch("quick", "a.1", "main", "orders", 1)
    data = {"client_order_id": "order", "settlement": None}
    record.note_settled("quick", "a.1", 37, data | {"outcome": "done"})
    record.note_settled("slow", "a.1", 34, data | {"outcome": "not_sent"})
    assert record.wrong == []

    record.note_settled("slow", "a.1", 38, data | {"outcome": "not_sent"})
    (said,) = record.wrong
    assert said.startswith("slow: order cannot have ended so twice")
