"""A clock that nobody sets, and that goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time


def steady_ms() -> int:
    """Return the milliseconds since some moment of this machine's own."""
    if sys.platform == "linux":  # its monotonic clock stands still in sleep, those of others not
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000
