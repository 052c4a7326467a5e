"""Simulated consoles, one life after the other: the real program, on a machine of its own."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

from gateway.config import ConsoleServer, Secrets
from gateway.console.secret_keys import exchange_console_key
from gateway.console.server import PageServer as Server
from gateway.console.service import Console, Costs, open_console
from gateway.console.settings import ConsoleSettings
from gateway.credentials.passwords import Cost

from ..clocks import PcClocks
from ..computer import SimulatedHost, move_in
from ..disk import SimulatedDisk
from ..handles import LIFE
from ..loop import SimulatedLoop
from ..network import Network
from .async_sqlite import LoopExecutor

PORT = 7402
URL = f"http://127.0.0.1:{PORT}"
FIRST_LIFE = 1_000_000
"""Lives of consoles are counted from there on; those of daemons stay below."""
HEARTBEAT_S = 30
"""Of its streams: rarer than by default, for each asks the database."""
CHEAP = Costs(passwords=Cost(8, 1, 1), codes=Cost(8, 1, 1))
"""Guessing is nobody's aim here."""
SETTINGS = ConsoleSettings(
    console_server=ConsoleServer(port=PORT), secrets=Secrets(store="file"), heartbeat_s=HEARTBEAT_S
)
T = TypeVar("T")


class ConsoleAway(Exception):
    """The console has died, or does not run."""


class SimulatedConsoles:
    """The console, one life after the other.

    Args:
        folder: its home.
        clocks: of its machine.
        dice: what nobody can guess there, and how long its threads take.

    """

    def __init__(
        self,
        loop: SimulatedLoop,
        network: Network,
        disk: SimulatedDisk,
        folder: Path,
        clocks: PcClocks,
        dice: Random,
    ) -> None:
        self._loop, self._network, self._disk = loop, network, disk
        self._folder, self._clocks, self._dice = folder, clocks, dice
        self._lives = itertools.count(FIRST_LIFE)
        self._context = contextvars.copy_context()
        self._living: asyncio.Task[None] | None = None
        self._death: asyncio.Future[None] = loop.create_future()
        self.life = 0
        """Of the present console, or the last."""
        self.console: Console | None = None
        """The services of the one that serves now."""

    async def begin(self) -> None:
        """Start it, and wait until it serves."""
        assert self.console is None
        self._network.restart()
        self.life = next(self._lives)
        self._context = contextvars.copy_context()
        self._context.run(self._move_in)
        self._death = self._loop.create_future()
        ready: asyncio.Future[Console] = self._loop.create_future()
        self._living = self._loop.create_task(self._live(ready), context=self._context)
        self.console = await ready

    def kill(self, *, power: Random | None = None) -> None:
        """End it as SIGKILL has it, or a power cut (``power`` decides what that leaves)."""
        if self.console is None:
            return
        self.console = None
        self._loop.kill(self.life)
        self._network.kill(self.life, power_cut=power is not None)
        if power is not None:
            self._disk.power_cut(power, self._folder)
            self._clocks.boot()
        else:
            self._disk.kill(self.life)
        self._death.set_result(None)

    async def do(self, work: Callable[[Console], Awaitable[T]]) -> T:
        """Have the console do something, as one of its pages would.

        Raises:
            ConsoleAway: it dies over it, or is not there.

        """
        if self.console is None:
            raise ConsoleAway
        console, death = self.console, self._death

        async def doing() -> T:
            return await work(console)

        task = self._loop.create_task(doing(), context=self._context)
        await asyncio.wait((task, death), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ConsoleAway
        return task.result()

    async def exchange_key(self) -> None:
        """Seal its secrets with a new key, while it does not run."""
        context = contextvars.copy_context()
        self.life = next(self._lives)
        context.run(self._move_in)
        work = exchange_console_key(self._folder, SETTINGS)
        await self._loop.create_task(work, context=context)

    def _move_in(self) -> None:
        LIFE.set(self.life)
        computer = SimulatedHost(self._loop, self._network, self._clocks, self._dice)
        move_in("console", computer)

    async def _live(self, ready: asyncio.Future[Console]) -> None:
        async with self._serving() as console:
            ready.set_result(console)
            await self._loop.create_future()

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[Console]:
        threads = LoopExecutor(self._loop, self._dice)
        async with (
            open_console(self._folder, SETTINGS, costs=CHEAP, threads=threads) as console,
            Server(console),
        ):
            yield console
