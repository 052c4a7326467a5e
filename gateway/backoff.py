"""Back-off: waits between tries that grow with each failure."""

from __future__ import annotations

MAX_DOUBLINGS = 16
"""More make no wait longer, and in the end no float could hold them."""


def ceiling_s(first_s: float, last_s: float, failures: int) -> float:
    """Return the longest wait after so many failures in a row.

    It doubles from ``first_s`` up to ``last_s``. Who takes a random part of it comes back at
    another moment than all others that failed at the same one.
    """
    return min(last_s, first_s * 2.0 ** min(failures, MAX_DOUBLINGS))


class Backoff:
    """Wait of one task between its tries.

    Args:
        first_s: the wait before anything has failed, and again after a success.
        last_s: the longest one.

    """

    def __init__(self, first_s: float, last_s: float) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self.wait_s = first_s
        """To wait now, before the next try."""

    def grow(self) -> None:
        """Double the wait, since a try has failed."""
        self.wait_s = min(self.wait_s * 2, self._last_s)

    def reset(self) -> None:
        """Begin with the first wait again."""
        self.wait_s = self._first_s
