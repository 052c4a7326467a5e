"""Stages of a call: when its first command went to the terminal, and how long it was there.

A guarded terminal is shared by all calls of a token, so what belongs to one call goes with its
context. Tasks that a handler starts inherit it, and count for its call.
"""

from __future__ import annotations

from contextvars import ContextVar

from gateway import schemas


class Stages:
    """Stages of one call. Times are of :func:`ea_bridge.host.perf_s`."""

    # defaults of the class and no __init__: one is made for each call, and most of what asks the
    # terminal at all asks it once
    asked_s: float | None = None
    """When the first command went out; ``None``: the terminal was asked nothing."""
    terminal_s = 0.0
    """How long at least one command was with the terminal: side by side, the time counts once."""
    _since_s = 0.0
    _under_way = 0

    def asked(self, now_s: float) -> None:
        """Note that a command goes to the terminal."""
        if not self._under_way:
            self._since_s = now_s
            if self.asked_s is None:
                self.asked_s = now_s
        self._under_way += 1

    def answered(self, now_s: float) -> None:
        """Note that a command is over, however it ended."""
        self._under_way -= 1
        if not self._under_way:
            self.terminal_s += now_s - self._since_s


STAGES: ContextVar[Stages] = ContextVar("stages", default=Stages())  # noqa: B039 - nobody reads it
"""Of the call that is being answered. What nobody called for (streams, the reconciler) writes into
the default, or into those of a call that is over: nobody reads them."""


def new_stages() -> Stages:
    """Return the stages of a call that begins in the current context."""
    stages = Stages()
    STAGES.set(stages)
    return stages


def timing_ms(now_s: float, arrived_s: float, stages: Stages | None) -> schemas.CallTiming:
    """Return what a caller is told who wants to know where the milliseconds went."""
    told: schemas.CallTiming = {
        "queue": None,
        "terminal": None,
        "whole": round((now_s - arrived_s) * 1000, 3),
    }
    if stages is not None and stages.asked_s is not None:
        told["queue"] = round((stages.asked_s - arrived_s) * 1000, 3)
        told["terminal"] = round(stages.terminal_s * 1000, 3)
    return told
