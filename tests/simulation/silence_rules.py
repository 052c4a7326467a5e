"""Rules of the dead man's switch: nothing is cancelled for a program that goes on talking.

When the gateway has heard a call nobody outside knows to the millisecond, but it lies between the
moments at which it was asked and answered. So until a while after the last call that was answered
was asked, the timer cannot have run out; if no answer comes before that, it may have.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from gateway.trading import flatten

ARMS = "cancel_all_after"
SWEEP_S = flatten.ROUNDS * flatten.TTL_MS / 1000
"""So long the gateway may go on with what it has begun to end."""


class State(Enum):
    """What is known of a timer."""

    NEVER = auto()
    """It was never set."""
    OFF = auto()
    RUNS = auto()
    DOUBTFUL = auto()
    """It may have run out."""


class SilenceRules:
    """The timer of one terminal, which one program sets.

    Args:
        accuse: takes what is wrong.

    """

    def __init__(self, accuse: Callable[[str], None]) -> None:
        self._accuse = accuse
        self.calls = 0
        """How many calls were asked that keep the timer from running out."""
        self._state = State.NEVER
        self._within_s = 0.0
        self._asked: dict[int, float] = {}
        """Times that it may have been set to, by the ids of calls without an answer."""
        self._safe_s = 0.0
        """When it runs out at the earliest."""
        self._sweeping_until_s = 0.0
        """Until then what a timer has ended that ran out right before it was set anew."""

    def asks(self, message: dict[str, Any]) -> None:
        """A program is about to ask something."""
        self.calls += 1
        if message["method"] == ARMS and message["params"]["timeout_ms"]:
            self._asked[message["id"]] = message["params"]["timeout_ms"] / 1000

    def answered(
        self, message: dict[str, Any], answer: dict[str, Any], asked_s: float, now_s: float
    ) -> None:
        """It has its answer: the gateway has heard it."""
        if "result" not in answer:
            return
        if message["method"] == ARMS:
            if self._state is State.DOUBTFUL or (
                self._state is State.RUNS and now_s >= self._safe_s
            ):
                self._sweeping_until_s = now_s + SWEEP_S
            timeout_s = message["params"]["timeout_ms"] / 1000
            self._state = State.RUNS if timeout_s else State.OFF
            self._within_s = timeout_s or self._within_s
            self._asked.clear()
            self._safe_s = asked_s + self._within_s
        elif self._state is State.RUNS and now_s >= self._safe_s:
            self._state = State.DOUBTFUL
        elif self._state is State.RUNS:
            self._safe_s = max(self._safe_s, asked_s + self._least_s())

    def begins(self, now_s: float) -> None:
        """Begin a life of the daemon: a timer that was ever set runs again with its whole time."""
        if self._state is not State.NEVER or self._asked:
            self._state = State.RUNS
            self._safe_s = now_s + self._least_s()

    def ends(self, what: str, now_s: float) -> None:
        """The gateway is about to end an order or a position that nobody has asked it to end."""
        if now_s < self._sweeping_until_s:
            return
        if self._state in (State.NEVER, State.OFF) and not self._asked:
            self._accuse(f"{what} is ended, and no timer was set")
        elif self._state is State.RUNS and now_s < self._safe_s:
            self._accuse(f"{what} is ended at {now_s} s, before {self._safe_s} s")

    def _least_s(self) -> float:
        """Return the shortest time that it may be set to."""
        known = (self._within_s,) if self._within_s else ()
        return min((*known, *self._asked.values()))
