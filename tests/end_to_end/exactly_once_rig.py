"""The exactly-once run: bots, a daemon that is killed, terminals that fail in every way.

The terminals run in the test's process and outlive every daemon, so their brokers' books are the
truth. What happens when is drawn from a seed and counted in orders, never in seconds: a slow
machine sees much the same run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from exactly_once_bots import SYMBOL, Address, Bot, Door, Intent, outcome_of
from exactly_once_judge import Heard, Truth, Verdict, judge
from exactly_once_lives import Life, Lives, lives, make_home

from ea_bridge.emulator.faults import Faults
from ea_bridge.emulator.link import Link
from ea_bridge.emulator.machine import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Message

KINDS: Mapping[str, Mapping[str, Any]] = {
    "hedging": {},
    "netting": {"netting": True},
    "mt4": {"platform": "mt4"},
}
"""The terminals, by name, and how each is built."""
BOTS = 4
"""At each terminal."""
PATIENCE_S = 60.0
"""For what is still unknown when everything is at peace."""
OPEN = frozenset({"unknown", "pending"})
ANSWERS_WITHIN_S = 60.0
"""A daemon at peace, on a machine that may be busy."""
BATCH = 50
CUTS = ("cut_before_ack", "cut_unacked", "cut_after_ack", "cut_after_result")
CRASHES = ("crash_before", "crash_after")
OPEN_ENDS = ("open_before", "open_after")
OTHERS = ("cut", "restart", "lose_result", "deals_lag", "delays")


@dataclass
class Figures:
    """What was done to them."""

    kills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    """Lives that ended at a point, by its name."""
    faults: Counter[str] = field(default_factory=Counter)
    """Of the terminals and their links."""
    links: int = 0
    """How often a terminal was let in."""

    def __str__(self) -> str:
        at_points = ", ".join(f"{name} {n}" for name, n in sorted(self.points.items()))
        faults = ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items()))
        return (
            f"{self.kills} kills ({at_points}), {self.links} links, "
            f"{self.faults.total()} faults ({faults})"
        )


class Stage:
    """A terminal, its bots, and what they did there."""

    def __init__(self, name: str, machine: EmulatedTerminal, link: Link, door: Door) -> None:
        self.name = name
        self.machine, self.link, self.door = machine, link, door
        self.truth = Truth(machine.desk.broker)
        self.intents: list[Intent] = []
        self.is_rough = False
        """The broker rewrites every comment; a terminal that dies has forgotten its results."""
        self.links: list[float] = []
        """When the terminal was let in, as :func:`time.monotonic` has it."""
        link_ready = machine.link_ready

        def note(ack: int) -> list[Message]:
            self.links.append(time.monotonic())
            return link_ready(ack)

        machine.link_ready = note  # type: ignore[method-assign]  # to see each link
        self.reconciled = set[str]()
        """Ids whose ends were found out, as far as they were asked for."""
        self._open: list[Intent] = []
        self._restart = machine.restart
        machine.restart = self._die  # type: ignore[method-assign]  # to see each death

    def begin(self, intent: Intent) -> None:
        """Take a new intent."""
        self.intents.append(intent)
        self._open.append(intent)

    def _die(self, *, lose_results: bool = False) -> None:
        # what was not sent may be under way again
        self._open = [one for one in self._open if one.end in (None, "not_sent")]
        for intent in self._open:
            intent.terminal_died = True
        self._restart(lose_results=lose_results)

    def misbehave(self, kind: str, dice: random.Random) -> None:
        """Let the terminal fail now, or with the next trade."""
        faults = self.machine.faults
        faults.rewrite_comment = 1_000_000 if self.is_rough else dice.choice((0, 1_000_000))
        forgets = self.is_rough or dice.random() < 0.5
        if kind == "cut":
            self.link.cut()
        elif kind == "restart":
            self.machine.restart(lose_results=forgets)
            self.link.cut()
        elif kind == "delays":
            faults.delay_result_ms = dice.choice((0, 0, 5, 100))
        else:
            setattr(faults, kind, getattr(faults, kind) + 1)
            faults.lose_memory = int(kind in CRASHES and forgets)

    def behave(self) -> None:
        """Fail no more."""
        for name, value in vars(Faults()).items():
            setattr(self.machine.faults, name, value)

    async def settle(self) -> None:
        """Wait until the fate of each order is known."""
        begun_s = time.monotonic()
        waiting = {one.id: one for one in self.intents if one.end is None}
        while waiting:
            states = await self.states(waiting)
            for id_ in [id_ for id_ in waiting if states[id_] not in OPEN]:
                waiting.pop(id_).resolved_at_s = time.monotonic()
            if time.monotonic() > begun_s + PATIENCE_S:
                break
            await asyncio.sleep(0.2)

    async def states(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Ask what became of each order."""
        params = [{"client_order_id": id_} for id_ in ids]
        found: dict[str, str | None] = {}
        for start in range(0, len(params), BATCH):
            batch = params[start : start + BATCH]
            answers = await self.door.ask_all("get_order", batch, ANSWERS_WITHIN_S)
            for one, answer in zip(batch, answers, strict=True):
                found[one["client_order_id"]] = outcome_of(answer)
                if answer.get("result", {}).get("reconciled"):
                    self.reconciled.add(one["client_order_id"])
        return found


@dataclass(kw_only=True)
class Rig:
    """One run: how many orders, and about how many of them to one fault of a terminal."""

    daemon: Lives
    address: Address
    stages: Sequence[Stage]
    dice: random.Random
    goal: int
    orders_a_fault: int = 12
    figures: Figures = field(default_factory=Figures)
    _begun: int = 0
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    async def run(self, plan: Sequence[Life]) -> Verdict:
        """Let the bots trade through all lives and a last one, in peace; then judge."""
        linking = [asyncio.create_task(stage.link.run()) for stage in self.stages]
        trading = [
            asyncio.create_task(self._bot(stage, f"{stage.name}-{n}").run(self._begin_at(stage)))
            for stage in self.stages
            for n in range(BOTS)
        ]
        for life in plan:
            await self._live(life)
        self.orders_a_fault = 0
        for stage in self.stages:
            stage.behave()
        await self._rise(Life())
        await asyncio.gather(*trading, *(stage.settle() for stage in self.stages))
        await asyncio.gather(*(stage.settle() for stage in self.stages))
        for task in linking:
            task.cancel()
        await asyncio.wait(linking)  # what the daemon says of an order it says without a terminal
        verdict = Verdict()
        for stage in self.stages:
            states = await stage.states(one.id for one in stage.intents)
            heard = Heard(states, stage.reconciled, stage.links)
            judge(stage.intents, heard, stage.truth, verdict)
            stage.truth.check()
            self.figures.links += len(stage.links)
        await self._fall()
        return verdict

    def _bot(self, stage: Stage, name: str) -> Bot:
        account = stage.machine.desk.account()
        return Bot(name, stage.door, (account.login, account.server), self.dice)

    def _begin_at(self, stage: Stage) -> Any:
        def begin(intent: Intent) -> bool:
            if self._begun >= self.goal:
                return False
            self._begun += 1
            stage.begin(intent)
            if self.orders_a_fault and self.dice.random() < 1 / self.orders_a_fault:
                kind = self.dice.choice((*CUTS, *CUTS, *CRASHES, *OPEN_ENDS, *OTHERS))
                self.figures.faults[kind] += 1
                stage.misbehave(kind, self.dice)
            if self._waiting and self._begun >= self._waiting[0][0]:
                self._waiting.pop(0)[1].set()
            return True

        return begin

    # --- the daemon ------------------------------------------------------------------------

    async def _live(self, life: Life) -> None:
        """Run the daemon until it is dead."""
        await self._rise(life)
        enough = asyncio.create_task(self._after(life.orders))
        await asyncio.wait((self.daemon.death, enough), return_when=asyncio.FIRST_COMPLETED)
        enough.cancel()
        if self.daemon.death.done():
            self.figures.points[life.point] += 1
        await self._fall()

    async def _rise(self, life: Life) -> None:
        ready = await self.daemon.begin(life)
        if ready is None:
            return
        for stage in self.stages:
            stage.link.port = int(ready["bridge"].rpartition(":")[2])
        self.address.url = ready["rpc"]
        self.address.up.set()

    async def _fall(self) -> None:
        self.address.up.clear()
        await self.daemon.end()
        self.figures.kills += 1

    async def _after(self, orders: int) -> None:
        """Wait until so many more orders were begun, or all are."""
        count = min(self._begun + orders, self.goal)
        if self._begun < count:
            reached = asyncio.Event()
            self._waiting = [(count, reached)]  # one life at a time
            await reached.wait()


@asynccontextmanager
async def rig(
    folder: Path, *, orders: int, seed: int, orders_a_fault: int = 12, is_rough: bool = False
) -> AsyncIterator[Rig]:
    """Set everything up; nothing trades yet.

    Args:
        folder: for the daemon's home and the terminals' results.
        orders: how many there are to be.
        seed: of everything that is drawn.
        orders_a_fault: about how many orders come to one fault of a terminal.
        is_rough: as of a :class:`Stage`.

    """
    tokens = make_home(folder, *KINDS)
    address = Address()
    async with lives(folder) as daemon, aiohttp.ClientSession() as http:
        stages = [
            Stage(name, machine, Link(machine, "127.0.0.1", 1, token, seed=seed), door)
            for n, (name, token) in enumerate(tokens.items())
            for door in [Door(http, address, token)]
            for machine in [
                build_terminal(
                    seed=seed + n, watch=[SYMBOL], results_file=folder / name, **KINDS[name]
                )
            ]
        ]
        for stage in stages:
            stage.is_rough = is_rough
            stage.machine.faults.rewrite_comment = 1_000_000 if is_rough else 0
        yield Rig(
            daemon=daemon,
            orders_a_fault=orders_a_fault,
            address=address,
            stages=stages,
            dice=random.Random(seed),  # noqa: S311 (a run, not a secret)
            goal=orders,
        )
