"""How long a peer stays away from a daemon that does not want it; as ``Patience.mqh`` of the EA.

What is in the way needs a person, who may take days: so the peer asks ever more rarely, but often
enough that the link is back soon after.
"""

from __future__ import annotations

from collections.abc import Callable

REFUSED_FIRST_S, REFUSED_LAST_S = 5.0, 60.0
REPLACED_FIRST_S, REPLACED_LAST_S = 300.0, 3600.0
"""The newest link wins: were we to come back at once, two peers with the same token would throw
each other out for ever."""
FORGET_S = 3 * REPLACED_LAST_S
"""Two that still throw each other out do so more often: each waits for an hour at the most."""


class Patience:
    """Waits that grow.

    Args:
        clock: seconds since some moment.

    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refused_s = 0.0
        self._replaced_s = REPLACED_FIRST_S
        self._replaced_at: float | None = None

    def linked(self) -> None:
        """Note that the daemon had let us in."""
        self._refused_s = 0.0

    def refused(self, asked_s: float | None) -> float:
        """Return how long to wait after a refusal; the daemon may have asked for a time."""
        wait_s = max(asked_s or REFUSED_FIRST_S, self._refused_s)
        self._refused_s = min(max(self._refused_s, REFUSED_FIRST_S) * 2, REFUSED_LAST_S)
        return wait_s

    def replaced(self) -> float:
        """Return how long to wait after another peer came with our token; one that came long
        ago is forgotten.
        """
        now = self._clock()
        if self._replaced_at is None or now - self._replaced_at > FORGET_S:
            self._replaced_s = REPLACED_FIRST_S
        self._replaced_at = now
        wait_s, self._replaced_s = self._replaced_s, min(self._replaced_s * 2, REPLACED_LAST_S)
        return wait_s
