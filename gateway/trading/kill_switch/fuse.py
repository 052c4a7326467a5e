"""A timer that is lit anew at every call of a program, which must cost next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Fuse:
    """Burns for some time, then does something, once. It burns from the start.

    Args:
        within_s: how long.
        act: called in the event loop when it has burnt down.

    """

    def __init__(self, within_s: float, act: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._within_s = within_s
        self._act = act
        self._due_s = self._loop.time() + within_s
        self._timer = self._loop.call_at(self._due_s, self._ring)

    def renew(self) -> None:
        """Burn for the whole time again. The timer finds out when it rings."""
        self._due_s = self._loop.time() + self._within_s

    def put_out(self) -> None:
        """Do nothing any more; harmless when it has burnt down."""
        self._timer.cancel()

    def _ring(self) -> None:
        if self._loop.time() < self._due_s:
            self._timer = self._loop.call_at(self._due_s, self._ring)
        else:
            self._act()
