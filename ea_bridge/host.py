"""Host computer as the code sees it: its clocks, randomness, sockets, files and shared memory.

The daemon, the console and the emulators ask here, and nowhere else. So a simulation hands in a
host of its own with :func:`handed_in`, and whatever runs in that context, tasks and callbacks
included, lives by its clocks and its dice. Without that it is the computer itself.
"""

from __future__ import annotations

import base64
import mmap
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

REPLACE_TRIES = 10
REPLACE_PAUSE_S = 0.01
"""Between two tries of :func:`replace_file`, which may stop an event loop for all of them."""


class MappedFile(Protocol):
    """Beginning of a file as memory, which shows what any process writes there."""

    view: memoryview
    """Its bytes; they cannot be written."""

    def close(self) -> None:
        """Unmap the file; the view must not be used any more."""


@dataclass(eq=False)
class _Mapping:
    """Mapping of a file, shared by all of this process who want it."""

    memory: mmap.mmap
    view: memoryview
    descriptor: int
    users: int = 0


class _MappedFile:
    """One user of a mapping.

    POSIX drops all locks of a process on a file when it closes any descriptor of the file, and
    SQLite would lose its own. So there is one descriptor a file, which is closed with the last
    user; each of them has a connection of its own, which it closes before.
    """

    _mappings: dict[tuple[int, int], _Mapping] = {}  # noqa: RUF012 (all of this process)
    _lock = threading.Lock()

    def __init__(self, path: Path, size: int) -> None:
        with self._lock:
            found = os.stat(path, follow_symlinks=False)
            self._key = found.st_dev, found.st_ino
            mapping = self._mappings.get(self._key)
            if mapping is None:
                mapping = self._open(path, size)
            mapping.users += 1
            self.view = mapping.view

    def _open(self, path: Path, size: int) -> _Mapping:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) != self._key:
                raise OSError(f"{path} was exchanged")  # the database was, and says so itself
            memory = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
        except BaseException:
            os.close(descriptor)
            raise
        mapping = self._mappings[self._key] = _Mapping(memory, memoryview(memory), descriptor)
        return mapping

    def close(self) -> None:
        with self._lock:
            mapping = self._mappings[self._key]
            mapping.users -= 1
            if mapping.users:
                return
            del self._mappings[self._key]
            mapping.view.release()
            mapping.memory.close()
            os.close(mapping.descriptor)


class Host:
    """Computer that the program runs on; a simulation overrides every method."""

    # the built-ins themselves: what asks at each call pays for no function of ours
    wall_ns = staticmethod(time.time_ns)
    """Nanoseconds since 1970 by the wall clock, which anybody may set."""
    monotonic_ns = staticmethod(time.monotonic_ns)
    """Nanoseconds for timers: never set, stands still in sleep on some systems."""
    perf_s = staticmethod(time.perf_counter)
    """Seconds of the finest clock there is, to take short times with."""

    def boot_ns(self) -> int:
        """Return the nanoseconds since boot, or some such moment, those of sleep included."""
        if sys.platform == "linux":
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if sys.platform == "darwin":  # there CLOCK_MONOTONIC runs on in sleep, time.monotonic not
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return time.monotonic_ns()  # that of Windows runs on in sleep

    def sleep(self, seconds: float) -> None:
        """Wait, in a thread that may be blocked."""
        time.sleep(seconds)

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that nobody can guess."""
        return os.urandom(count)

    def new_socket(self, family: socket.AddressFamily) -> socket.socket:
        """Return a TCP socket that is not bound yet."""
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)

    def map_file(self, path: Path, size: int) -> MappedFile:
        """Return the first bytes of a file as memory.

        Raises:
            OSError: it cannot be mapped; on Windows none is, since a file that is mapped cannot be
                removed there by the program that it belongs to.

        """
        if os.name != "posix":
            raise OSError("files are not mapped on this system")
        return _MappedFile(path, size)


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


def wall_clock() -> Callable[[], int]:
    """Return the clock of :func:`wall_ns`, for who asks with each call; of the host of now."""
    return _HOST.get().wall_ns


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


def perf_clock() -> Callable[[], float]:
    """Return the clock of :func:`perf_s`, for who asks with each call; of the host of now."""
    return _HOST.get().perf_s


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


# --- files -------------------------------------------------------------------------------------


def replace_file(fresh: Path, path: Path) -> None:
    """Put a file into another's place, in one step.

    Windows refuses it while anybody has the other one open to read, such as a virus scanner or a
    command of ours. That is over soon, so it is tried for a tenth of a second.

    Raises:
        OSError: it cannot be done.

    """
    tries = REPLACE_TRIES if sys.platform == "win32" else 1
    for left in range(tries - 1, -1, -1):
        try:
            fresh.replace(path)
        except PermissionError:
            if not left:
                raise
            sleep(REPLACE_PAUSE_S)
        else:
            return


# --- shared memory -----------------------------------------------------------------------------


def map_file(path: Path, size: int) -> MappedFile:
    """Return the first bytes of a file as memory; see :meth:`Host.map_file`."""
    return _HOST.get().map_file(path, size)
