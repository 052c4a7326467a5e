"""Of what comes in floods, the first ones and a count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ea_bridge import host

MAX_KINDS = 4096
"""Counted at a time; of more kinds nothing is left out."""

Kind = tuple[str, str | None, str | None, str | None]
"""Event, outcome, reason and actor."""


@dataclass(slots=True)
class _Window:
    ends_s: float
    taken: int = 0
    left_out: int = 0


class Sampler:
    """Lets the first few of each kind pass, and counts those that follow within a time.

    Args:
        limit: how many pass in each time.
        window_s: the time.
        monotonic_s: seconds that only grow.

    """

    def __init__(
        self,
        limit: int,
        window_s: float,
        monotonic_s: Callable[[], float] = host.monotonic_s,
    ) -> None:
        self._limit = limit
        self._window_s = window_s
        self._monotonic_s = monotonic_s
        self._windows: dict[Kind, _Window] = {}

    def take(self, kind: Kind) -> int | None:
        """Return whether one more of a kind is to be noted.

        Returns:
            How many of it were left out in the time before, if it is; ``None`` if it is not.

        """
        now_s = self._monotonic_s()
        window, left_out = self._windows.get(kind), 0
        if window is None and len(self._windows) >= MAX_KINDS:
            return 0
        if window is None or now_s >= window.ends_s:
            left_out = 0 if window is None else window.left_out
            window = self._windows[kind] = _Window(now_s + self._window_s)
        if window.taken < self._limit:
            window.taken += 1
            return left_out
        window.left_out += 1
        return None

    def over(self, *, all_of_them: bool = False) -> list[tuple[Kind, int]]:
        """Forget the times that are over.

        Args:
            all_of_them: also those that are not: nothing comes any more.

        Returns:
            The kinds of which some were left out, and how many.

        """
        now_s = self._monotonic_s()
        over = [k for k, one in self._windows.items() if all_of_them or now_s >= one.ends_s]
        counts = [(kind, self._windows.pop(kind).left_out) for kind in over]
        return [(kind, left_out) for kind, left_out in counts if left_out]
