"""Ends of tokens by the clock: which are over by the clock of the daemon's machine."""

from __future__ import annotations

from random import Random

from .clocks import NS, PcClocks

DAY_S = 86_400
SOON_S = (2, 200)
"""In which most replaced tokens expire: within a run of some hundred orders."""
SOON_SHARE = 0.6


def draw_overlap_s(dice: Random) -> int:
    """Return for how long a replaced token goes on: mostly it ends while a run lasts."""
    return dice.randint(*SOON_S) if dice.random() < SOON_SHARE else DAY_S


class Expiries:
    """Tokens that expire, and when.

    Args:
        clock: of the daemon's machine, which may be set and drift.

    """

    def __init__(self, clock: PcClocks) -> None:
        self._clock = clock
        self._ends_s: dict[str, int] = {}

    def add(self, tid: str, end_s: int) -> None:
        """Take the end of a token, in seconds since 1970."""
        self._ends_s[tid] = end_s

    def wall_s(self) -> float:
        """Return the time by that clock, in seconds since 1970."""
        return self._clock.wall_ns() / NS

    @property
    def steps(self) -> int:
        """How often that clock was set: a token is as good as the clock says."""
        return self._clock.steps

    def has_expired(self, tid: str) -> bool:
        """Whether a token is over now."""
        end_s = self._ends_s.get(tid)
        return end_s is not None and self._clock.wall_ns() >= end_s * NS
