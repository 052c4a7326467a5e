"""How long a message was on its way, without a clock that both ends share.

The daemon stamps what it says by its own steady clock. The difference between ours and the stamp
is that of the two clocks, and the time on the way. The least difference of the last minutes is
that of the fastest message; whatever is over it is delay. That counts a peer that was frozen with
commands unread, a tunnel that stood still, a computer that slept; clocks that are set, or run
apart by a few seconds a day, do not matter.
"""

from __future__ import annotations

WINDOW_MS = 300_000


class Delay:
    """Compares stamps of the daemon with our clock; see :func:`ea_bridge.host.boot_ms`."""

    def __init__(self) -> None:
        self._least: int | None = None
        self._before: int | None = None
        """Of the window before this one: a new one begins with what is known."""
        self._begun_ms = 0

    def of(self, stamp_ms: int, now_ms: int) -> int:
        """Return how many milliseconds later than the fastest a message came.

        Args:
            stamp_ms: its stamp; 0 where it has none, which tells nothing.
            now_ms: when it was read.

        """
        if not stamp_ms:
            return 0
        difference = now_ms - stamp_ms
        if self._least is None or now_ms - self._begun_ms >= WINDOW_MS:
            self._before, self._least, self._begun_ms = self._least, difference, now_ms
        self._least = min(self._least, difference)
        known = self._least if self._before is None else min(self._least, self._before)
        return difference - known
