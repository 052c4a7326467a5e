"""Simulated computer that a program runs on: its clocks, its randomness, its sockets."""

from __future__ import annotations

import contextvars
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

from ea_bridge import host
from ea_bridge.host import Host, MappedFile

from .clocks import PcClocks
from .handles import LIFE
from .loop import Killed, SimulatedLoop
from .network import NODE, Network
from .sqlite_vfs import sqlite_vfs


def move_in(node: str, computer: SimulatedHost) -> None:
    """Have what goes on in this context live on a computer, as one of the network's nodes."""
    NODE.set(node)
    host._HOST.set(computer)


def context_of(node: str, computer: SimulatedHost) -> contextvars.Context:
    """Return the context of a program on a computer."""
    context = contextvars.copy_context()
    context.run(move_in, node, computer)
    return context


@dataclass(eq=False)
class _MappedMemory:
    """Shared memory of a database; it is there as long as somebody looks at it."""

    view: memoryview

    def close(self) -> None:
        """Do nothing."""


class SimulatedHost(Host):
    """The computer of one program; all methods of its base go by the loop and the dice.

    Args:
        clocks: that can be set, or count sleep.
        dice: what nobody can guess there.

    """

    def __init__(
        self, loop: SimulatedLoop, network: Network, clocks: PcClocks, dice: Random
    ) -> None:
        self._loop, self._network, self._clocks, self._dice = loop, network, clocks, dice

    def wall_ns(self) -> int:
        """Return the nanoseconds since 1970 by the wall clock."""
        return self._clocks.wall_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds for timers."""
        return int(self._loop.now * 1e9)

    def boot_ns(self) -> int:
        """Return the nanoseconds since boot, those of sleep included."""
        return self._clocks.boot_ns()

    def perf_s(self) -> float:
        """Return the loop's time."""
        return self._loop.now

    def sleep(self, seconds: float) -> None:
        """Let the loop's time go on."""
        self._loop.now += seconds

    def random_bytes(self, count: int) -> bytes:
        """Return drawn bytes; the dead draw none."""
        if self._loop.is_dead(LIFE.get()):
            raise Killed
        return self._dice.randbytes(count)

    def new_socket(self, family: socket.AddressFamily) -> socket.socket:
        """Return a socket of the simulated network."""
        return cast(Any, self._network.socket(family))

    def map_file(self, path: Path, size: int) -> MappedFile:
        """Return the shared memory of a database on the simulated disk."""
        disk = sqlite_vfs().disk
        if disk is None:
            raise OSError("there is no simulated disk")
        database = os.fsencode(path).removesuffix(b"-shm")
        return _MappedMemory(disk.memory(database).view(size))
