"""The rules of the dead man's switch know when a timer cannot have run out."""

from __future__ import annotations

from typing import Any

import pytest

from .silence_rules import ARMS, SWEEP_S, SilenceRules


class Judged:
    """The rules, and a program that asks."""

    def __init__(self) -> None:
        self.accused: list[str] = []
        self.rules = SilenceRules(self.accused.append)

    def ask(self, asked_s: float, answered_s: float, timeout_s: float | None = None) -> None:
        """Have it ask for something, or set the timer, and be answered."""
        message: dict[str, Any] = {"id": 1, "method": "ping", "params": {}}
        if timeout_s is not None:
            message |= {"method": ARMS, "params": {"timeout_ms": timeout_s * 1000}}
        self.rules.asks(message)
        self.rules.answered(message, {"result": {}}, asked_s, answered_s)

    def count(self, at_s: float) -> int:
        """Return how often what is ended then is wrong."""
        self.rules.ends("1", at_s)
        return len(self.accused)


@pytest.mark.parametrize(("at_s", "count"), [(2.9, 1), (3.0, 0)])
def test_a_timer_runs_out_after_the_last_call(at_s: float, count: int):
    """Its time counts from when that was asked, at the earliest."""
    judged = Judged()
    judged.ask(0.0, 0.1, timeout_s=2.0)
    judged.ask(1.0, 1.5)
    assert judged.count(at_s) == count


def test_a_call_that_comes_late_keeps_nothing():
    """It may have run out before: what is ended then is right, and what was begun goes on for as
    long as a sweep takes, though it is set again.
    """
    judged = Judged()
    judged.ask(0.0, 0.1, timeout_s=2.0)
    judged.ask(1.9, 2.1)
    assert judged.count(2.2) == 0
    judged.ask(2.2, 2.3, timeout_s=100.0)
    assert judged.count(2.2 + SWEEP_S) == 0
    assert judged.count(2.3 + SWEEP_S) == 1


def test_nothing_is_ended_without_a_timer():
    """Neither before one was set, nor after it was put off."""
    judged = Judged()
    assert judged.count(0.0) == 1
    judged.ask(1.0, 1.1, timeout_s=2.0)
    judged.ask(1.2, 1.3, timeout_s=0.0)
    assert judged.count(9.0) == 2


def test_a_daemon_that_begins_has_the_whole_time():
    """Also where it was put off, which may be lost."""
    judged = Judged()
    judged.rules.begins(0.0)
    assert judged.count(0.0) == 1
    judged.ask(1.0, 1.1, timeout_s=2.0)
    judged.rules.begins(2.5)
    assert judged.count(4.4) == 2
    assert judged.count(4.5) == 2
