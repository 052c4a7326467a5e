"""Time, as a session knows it: an event loop's, or a test's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ea_bridge import host


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Make it not happen; harmless when it has."""


class Timers(Protocol):
    """A monotonic clock and what rings on it; every asyncio event loop is one."""

    def time(self) -> float:
        """Return the seconds since some moment."""

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Timer:
        """Call ``callback(*args)`` in ``delay`` seconds."""


class LoopTimers:
    """An event loop's timers with a fine clock: uvloop's own counts whole milliseconds, and a
    round trip to a terminal is shorter.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def time(self) -> float:
        """Return the seconds since some moment."""
        return host.monotonic_s()

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Timer:
        """Call ``callback(*args)`` in ``delay`` seconds."""
        return self._loop.call_later(delay, callback, *args)
