"""Counts and durations of the calls of one method, for ``/metrics`` and for ``"timing": true``."""

from __future__ import annotations

from collections import Counter

from ea_bridge.histogram import Histogram
from gateway import schemas as shapes
from gateway.trading.stages import STAGES, Stages


class CallMetrics:
    """Counts and durations of the calls of one method. They only grow, and take no lock: only the
    loop's thread writes.
    """

    __slots__ = ("errors", "queue", "terminal", "whole")

    def __init__(self) -> None:
        self.whole = Histogram()
        """From the message's arrival until the answer is encoded; of all calls."""
        self.queue = Histogram()
        """From the arrival until the first command goes to the terminal."""
        self.terminal = Histogram()
        """How long at least one command was with the terminal."""
        self.errors: Counter[str] = Counter()
        """Calls that were answered with an error, by its name; all others were answered well."""


def new_stages() -> Stages:
    """Return the stages of a call that begins in the current context."""
    stages = Stages()
    STAGES.set(stages)
    return stages


def timing_ms(now_s: float, arrived_s: float, stages: Stages | None) -> shapes.CallTiming:
    """Return what a caller is told who wants to know where the milliseconds went."""
    told: shapes.CallTiming = {
        "queue": None,
        "terminal": None,
        "whole": round((now_s - arrived_s) * 1000, 3),
    }
    if stages is not None and stages.asked_s is not None:
        told["queue"] = round((stages.asked_s - arrived_s) * 1000, 3)
        told["terminal"] = round(stages.terminal_s * 1000, 3)
    return told
