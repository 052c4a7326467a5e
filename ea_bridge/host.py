"""Host computer as the code sees it: its clocks, its randomness and its sockets.

The daemon, the console and the emulators ask here, and nowhere else. So a simulation hands in a
host of its own with :func:`handed_in`, and whatever runs in that context, tasks and callbacks
included, lives by its clocks and its dice. Without that it is the computer itself.
"""

from __future__ import annotations

import base64
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Host:
    """Computer that the program runs on; a simulation overrides every method."""

    def wall_ns(self) -> int:
        """Return the nanoseconds since 1970 by the wall clock, which anybody may set."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds for timers: never set, stands still in sleep on some systems."""
        return time.monotonic_ns()

    def boot_ns(self) -> int:
        """Return the nanoseconds since boot, or some such moment, those of sleep included."""
        if sys.platform == "linux":
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if sys.platform == "darwin":  # there CLOCK_MONOTONIC runs on in sleep, time.monotonic not
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return time.monotonic_ns()  # that of Windows runs on in sleep

    def perf_s(self) -> float:
        """Return seconds of the finest clock there is, to take short times with."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Wait, in a thread that may be blocked."""
        time.sleep(seconds)

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that nobody can guess."""
        return os.urandom(count)

    def new_socket(self, family: socket.AddressFamily) -> socket.socket:
        """Return a TCP socket that is not bound yet."""
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)


_HOST: ContextVar[Host] = ContextVar("host", default=Host())  # noqa: B039 - it has no state


@contextmanager
def handed_in(host: Host) -> Iterator[None]:
    """Let everything in this context run on another host."""
    before = _HOST.set(host)
    try:
        yield
    finally:
        _HOST.reset(before)


# --- clocks ------------------------------------------------------------------------------------


def wall_ns() -> int:
    """Return UTC now, in nanoseconds since 1970."""
    return _HOST.get().wall_ns()


def wall_ms() -> int:
    """Return UTC now, in milliseconds since 1970."""
    return _HOST.get().wall_ns() // 1_000_000


def wall_s() -> float:
    """Return UTC now, in seconds since 1970."""
    return _HOST.get().wall_ns() / 1e9


def monotonic_ns() -> int:
    """Return nanoseconds for timers; see :meth:`Host.monotonic_ns`."""
    return _HOST.get().monotonic_ns()


def monotonic_s() -> float:
    """Return seconds for timers; see :meth:`Host.monotonic_ns`."""
    return _HOST.get().monotonic_ns() / 1e9


def boot_ms() -> int:
    """Return the milliseconds since boot, those of sleep included."""
    return _HOST.get().boot_ns() // 1_000_000


def boot_s() -> float:
    """Return the seconds since boot, those of sleep included."""
    return _HOST.get().boot_ns() / 1e9


def perf_s() -> float:
    """Return seconds of the finest clock there is, to take short times with."""
    return _HOST.get().perf_s()


def sleep(seconds: float) -> None:
    """Wait, in a thread that may be blocked."""
    _HOST.get().sleep(seconds)


# --- randomness --------------------------------------------------------------------------------


class _HostRandom(random.Random):
    """Random numbers that nobody can guess, as those of :class:`random.SystemRandom`."""

    def random(self) -> float:
        """Return a number in [0, 1) of 53 bits."""
        return self.getrandbits(53) * 2**-53

    def getrandbits(self, k: int, /) -> int:
        """Return that many bits."""
        return int.from_bytes(random_bytes((k + 7) // 8), "big") >> (-k % 8)


def random_bytes(count: int) -> bytes:
    """Return bytes that nobody can guess."""
    return _HOST.get().random_bytes(count)


def token_hex(count: int) -> str:
    """Return that many bytes that nobody can guess, as hexadecimal digits."""
    return random_bytes(count).hex()


def token_urlsafe(count: int) -> str:
    """Return that many bytes that nobody can guess, as letters that a URL takes."""
    return base64.urlsafe_b64encode(random_bytes(count)).rstrip(b"=").decode()


_RANDOM = _HostRandom()
choice, randbits, randbelow = _RANDOM.choice, _RANDOM.getrandbits, _RANDOM.randrange
uniform = _RANDOM.uniform


# --- sockets -----------------------------------------------------------------------------------


def new_socket(family: socket.AddressFamily) -> socket.socket:
    """Return a TCP socket that is not bound yet."""
    return _HOST.get().new_socket(family)
