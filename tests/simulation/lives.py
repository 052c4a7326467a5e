"""Simulated daemons, one life after the other: each can be killed at any step."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from gateway.app.daemon import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.storage.ledger import MAX_GROUP, Ledger, Signal, Write
from gateway.storage.reserve import Reserve, keep_up
from gateway.storage.store import DiskFull, StoreError

from . import product_patches as hand_in
from .clocks import PcClocks
from .computer import SimulatedHost, move_in
from .disk import SimulatedDisk
from .disk_faults import EndAt
from .handles import LIFE
from .loop import Killed, SimulatedLoop
from .network import Network
from .run import DISK, NO_START, Life

CONFIG = Config.model_validate(
    {
        "api": {"port": 0},
        "bridge": {"port": 0},
        "limits": {"queue_messages": 64},  # so that slow readers of so little have too many
        "manager": {"peer": "mt4-server", "requests_per_second": "none"},
        # the bots are many, and do not mind each other's unknown orders
        "trading": {"orders_per_second": "none", "block_unresolved": False},
    }
)
OUTSIDE = "from outside"
IN_ORDER = "in order"
"""Where a daemon was stopped, and did all that it does at its end."""
ORDERLY_S = 60.0
"""Within which it has: the command gives it eight, on a machine that neither sleeps nor is held
up."""


@dataclass
class Fuse:
    """Kills a life when it comes to a point for the nth time."""

    point: str
    left: int
    kill: Callable[[str], None]

    def reach(self, point: str) -> None:
        """Come to a point."""
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                self.kill(point)
                raise Killed


class LoopWriter:
    """The ledger's writer on the loop: what was put is written a drawn time later, by one call
    for all, as a thread would."""

    def __init__(
        self,
        loop: SimulatedLoop,
        dice: Random,
        disk: SimulatedDisk,
        *work: Callable[..., None],
    ) -> None:
        self._loop, self._dice, self._disk = loop, dice, disk
        self._write, self._checkpoint = work
        self._items: deque[Write | Signal] = deque()
        self._is_due = False

    def put(self, item: Write | Signal, /) -> None:
        """Take over a write or a signal."""
        self._items.append(item)
        if not self._is_due:
            self._is_due = True
            delay_s = self._dice.uniform(1e-4, 3e-3) + self._disk.delay_s()
            self._loop.call_later(delay_s, self._work)

    def close(self) -> None:
        """Do what was put, and end."""
        self._work()

    def _work(self) -> None:
        with self._disk.beside():
            self._write_all()

    def _write_all(self) -> None:
        self._is_due = False
        group: list[Write] = []
        while self._items:
            item = self._items.popleft()
            if isinstance(item, Write):
                group.append(item)
            if group and (not self._items or item is Signal.CHECKPOINT or len(group) == MAX_GROUP):
                self._write(group)
                group = []
            if item is Signal.CHECKPOINT:
                self._checkpoint()


@dataclass
class _Open:
    """What a life has open, which its end takes from it."""

    fuse: Fuse
    life: Life
    home: Home | None = None
    gateway: Gateway | None = None
    living: asyncio.Task[None] | None = None
    keeping: asyncio.Task[None] | None = None
    ledgers: list[Ledger] = field(default_factory=list)


@dataclass(kw_only=True)
class SimulatedDaemons:
    """The daemon, one life after the other.

    Attributes:
        folder: of the home.
        disk: where the home's databases lie.
        power: decides what a power cut leaves there.
        dice: of the delays of the ledger's writer.
        secrets: what nobody can guess.
        clocks: of its PC.
        config: of the daemon.
        on_begin: told of each life that listens, and its ready line.
        on_end: told of each life that is dead, and of what.
        on_ledger: told of each ledger that a life has opened.
        on_point: told of each point that a life comes to.
        around_commit: called before and after each commit: the life, its writes.

    """

    loop: SimulatedLoop
    network: Network
    folder: Path
    disk: SimulatedDisk
    power: Random
    dice: Random
    secrets: Random
    clocks: PcClocks
    on_begin: Callable[[int, Any], None]
    on_end: Callable[[int, str], None]
    on_ledger: Callable[[int, Ledger], None]
    on_point: Callable[[int, str], None]
    around_commit: tuple[Callable[[int, list[Any]], None], Callable[[int, list[Any]], None]]
    config: Config = CONFIG
    present: int = 0
    """The number of the present life, from 1."""
    stopped: set[int] = field(default_factory=set)
    """Lives that were told to stop; some were killed all the same."""
    _open: dict[int, _Open] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.death: asyncio.Future[Any] = self.loop.create_future()
        hand_in.around_commits(self._committing, self._committed)

    async def begin(self, life: Life) -> dict[str, Any] | None:
        """Start a daemon; return its ready line, ``None`` if it was dead before that."""
        self.network.restart()
        self.present += 1
        number = self.present
        self.death, ready = self.loop.create_future(), self.loop.create_future()
        fuse = Fuse(life.point, life.nth, lambda point: self._kill(number, point))
        self._open[number] = _Open(fuse, life)
        if life.point == DISK:
            # what a person writes to the home by a command is done by another process
            end = EndAt(life.nth, lambda: self._kill(number, DISK), lambda: LIFE.get() == number)
            self.disk.fail(end)
        context = contextvars.copy_context()
        context.run(self._move_in, number)
        living = self.loop.create_task(self._live(number, ready), context=context)
        self._open[number].living = living  # the loop does not keep it alive
        await asyncio.wait((ready, self.death), return_when=asyncio.FIRST_COMPLETED)
        if self.death.done():
            return None
        said: dict[str, Any] = ready.result()
        self.on_begin(number, said)
        return said

    @property
    def is_serving(self) -> bool:
        """Whether the present life has begun, and goes on."""
        return not self.death.done() and self._open[self.present].gateway is not None

    @property
    def is_stopping(self) -> bool:
        """Whether the present life was told to stop: its tasks end then."""
        return self.present in self.stopped

    @property
    def gateway(self) -> Gateway:
        """Return that of the present life."""
        gateway = self._open[self.present].gateway
        assert gateway is not None, "it has not begun yet"
        return gateway

    def _move_in(self, number: int) -> None:
        LIFE.set(number)
        move_in("daemon", SimulatedHost(self.loop, self.network, self.clocks, self.secrets))

    async def _live(self, number: int, ready: asyncio.Future[Any]) -> None:
        try:
            await self._serve(number, ready)
        except StoreError:
            if number in self.stopped:
                raise
            self._kill(number, NO_START)  # as the command ends, with what it says

    async def _serve(self, number: int, ready: asyncio.Future[Any]) -> None:
        """Do what :func:`gateway.app.serve.run_serve` does."""
        opened, folder = self._open[number], self.folder / "home"
        reserve = Reserve(folder, free_bytes=self.disk.free_bytes)
        try:
            opened.home = Home(folder, self.config.secrets.key_file)
        except DiskFull:
            opened.home = Home(folder, self.config.secrets.key_file)
        opened.keeping = self.loop.create_task(keep_up(reserve))

        def new_writer(*work: Callable[..., None]) -> LoopWriter:
            ledger: Ledger = work[0].__self__  # type: ignore[attr-defined]  # its method
            opened.ledgers.append(ledger)
            self.on_ledger(number, ledger)
            return LoopWriter(self.loop, self.dice, self.disk, *work)

        gateway = Gateway(
            opened.home, self.config, on_point=self._reach, reserve=reserve, new_writer=new_writer
        )
        opened.gateway = gateway
        async with gateway.run() as said:
            ready.set_result({"rpc": said.rpc, "ws": said.ws, "bridge": said.bridge})
            await self.loop.create_future()

    def _kill(self, number: int, cause: str) -> None:
        self.loop.kill(number)
        loses_power = self._open[number].life.loses_power
        self.network.kill(number, power_cut=loses_power)
        if loses_power:
            self.disk.power_cut(self.power, self.folder / "home")
        else:
            self.disk.kill(number)
        if not self.death.done():
            self.death.set_result(cause)

    async def _stop(self, number: int) -> None:
        """Stop a daemon as a service manager does; it may be killed while it stops."""
        living = self._open[number].living
        assert living is not None  # it was begun
        self.stopped.add(number)
        living.cancel()
        await self._until_ended(living)
        if self.death.done():
            return
        assert living.done(), f"life {number} was stopped, and goes on after {ORDERLY_S} s"
        error = None if living.cancelled() else living.exception()
        if error is not None and not (isinstance(error, StoreError) and self.disk.has_failed):
            raise error
        self._kill(number, IN_ORDER)

    async def _until_ended(self, living: asyncio.Task[None]) -> None:
        """Wait until a daemon has ended, or has had its time; a sleep of the machine is no part of
        it, since what the daemon waits for is due only when the machine has woken up.
        """
        left_s = ORDERLY_S
        while left_s > 0 and not living.done() and not self.death.done():
            awake_s = self.loop.now - self.loop.slept_s
            ends = (living, self.death)
            await asyncio.wait(ends, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            left_s -= self.loop.now - self.loop.slept_s - awake_s

    def lose_power_at_end(self) -> None:
        """Let the present life end with a power cut, whatever it was begun with."""
        self._open[self.present].life = Life(loses_power=True)

    async def end(self) -> None:
        """Kill the daemon, or stop it, if it has not ended by itself."""
        number = self.present
        if not self.death.done() and self._open[number].life.is_stopped:
            await self._stop(number)
        if not self.death.done():
            self._kill(number, OUTSIDE)
        await asyncio.sleep(0.01)
        opened = self._open.pop(number)
        self.disk.work(EndAt)
        for ledger in opened.ledgers:
            ledger._writer.close()
            ledger.reader.close()
        if opened.home is not None:
            opened.home.close()
        self.on_end(number, self.death.result())

    def _committing(self, group: list[Any]) -> None:
        life = LIFE.get()
        if self.loop.is_dead(life):
            raise Killed
        self._reach("committing")
        self.around_commit[0](life, group)

    def _committed(self, group: list[Any]) -> None:
        life = LIFE.get()
        if self.loop.is_dead(life):
            raise Killed  # within the commit
        self.around_commit[1](life, group)
        self._reach("committed")

    def _reach(self, point: str) -> None:
        life = LIFE.get()
        self.on_point(life, point)
        if life in self._open:
            self._open[life].fuse.reach(point)
