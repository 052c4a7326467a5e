"""The exactly-once run: bots, a daemon that is killed, a terminal that fails in every way.

The terminal runs in the test's process and outlives every daemon, so its broker's books are the
truth. What happens when is drawn from a seed and counted in orders, never in seconds: a slow
machine sees much the same run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from exactly_once_bots import Bot, Door, Intent, outcome_of
from exactly_once_judge import Truth, Verdict, judge
from exactly_once_lives import Life, Lives, lives, make_home

from ea_bridge.emulator.faults import Faults
from ea_bridge.emulator.link import Link
from ea_bridge.emulator.machine import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal

BOTS = 12
PATIENCE_S = 30.0
"""For what is still unknown when everything is at peace."""
ANSWERS_WITHIN_S = 60.0
"""A daemon at peace, on a machine that may be busy."""
CUTS = ("cut_before_ack", "cut_unacked", "cut_after_ack", "cut_after_result")
CRASHES = ("crash_before", "crash_after")
OTHERS = ("cut", "restart", "lose_result", "deals_lag", "delays")


@dataclass
class Figures:
    """What was done to them."""

    kills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    """Lives that ended at a point, by its name."""
    faults: Counter[str] = field(default_factory=Counter)
    """Of the terminal and its link."""
    links: list[float] = field(default_factory=list)
    """When the terminal was let in, as :func:`time.monotonic` has it."""

    def __str__(self) -> str:
        at_points = ", ".join(f"{name} {n}" for name, n in sorted(self.points.items()))
        faults = ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items()))
        return (
            f"{self.kills} kills ({at_points}), {len(self.links)} links, "
            f"{self.faults.total()} faults ({faults})"
        )


class Mischief:
    """Has the terminal fail about once in so many orders."""

    def __init__(
        self, machine: EmulatedTerminal, link: Link, dice: random.Random, done: Counter[str]
    ) -> None:
        self._machine, self._link, self._dice, self._done = machine, link, dice, done
        self._every = 12

    def maybe(self) -> None:
        """Do something, or nothing."""
        if self._every and self._dice.random() < 1 / self._every:
            kind = self._dice.choice((*CUTS, *CUTS, *CRASHES, *OTHERS))
            self._done[kind] += 1
            self._do(kind)

    def _do(self, kind: str) -> None:
        dice, faults = self._dice, self._machine.faults
        faults.rewrite_comment = dice.choice((0, 1_000_000))
        forgets = dice.random() < 0.3
        if kind == "cut":
            self._link.cut()
        elif kind == "restart":
            self._machine.restart(lose_results=forgets)
            self._link.cut()
        elif kind == "delays":
            faults.delay_result_ms = dice.choice((0, 0, 5, 100))
        else:
            setattr(faults, kind, getattr(faults, kind) + 1)
            faults.lose_memory = int(kind in CRASHES and forgets)

    def stop(self) -> None:
        """Behave from now on."""
        self._every = 0
        for name, value in vars(Faults()).items():
            setattr(self._machine.faults, name, value)


@dataclass(kw_only=True)
class Rig:
    """One run."""

    daemon: Lives
    door: Door
    link: Link
    mischief: Mischief
    truth: Truth
    figures: Figures
    goal: int
    intents: list[Intent] = field(default_factory=list)
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def begin(self, intent: Intent) -> bool:
        """Take a new intent of a bot; false if there are enough."""
        if len(self.intents) >= self.goal:
            return False
        self.intents.append(intent)
        self.mischief.maybe()
        for count, reached in self._waiting:
            if len(self.intents) >= count:
                reached.set()
        return True

    async def run(self, plan: Sequence[Life], bots: Sequence[Bot]) -> Verdict:
        """Let the bots trade through all lives and a last one, in peace; then judge."""
        watching = asyncio.create_task(self._watch_link())
        trading = [asyncio.create_task(bot.run(self.begin)) for bot in bots]
        for life in plan:
            await self._live(life)
        self.mischief.stop()
        await self._rise(Life())
        await asyncio.gather(*trading)
        states = await self._states()
        await self._fall()
        watching.cancel()
        self.truth.check()
        return judge(self.intents, states, self.truth, self.figures.links)

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
        self.link.port = int(ready["bridge"].rpartition(":")[2])
        self.door.url = ready["rpc"]
        self.door.up.set()

    async def _fall(self) -> None:
        self.door.up.clear()
        await self.daemon.end()
        self.figures.kills += 1

    async def _after(self, orders: int) -> None:
        """Wait until so many more orders were begun, or all are."""
        count = min(len(self.intents) + orders, self.goal)
        if len(self.intents) < count:
            reached = asyncio.Event()
            self._waiting.append((count, reached))
            await reached.wait()

    async def _watch_link(self) -> None:
        while True:
            await self.link.ready.wait()
            self.figures.links.append(time.monotonic())
            while self.link.ready.is_set():  # noqa: ASYNC110 (there is no event of its end)
                await asyncio.sleep(0.005)

    async def _states(self) -> dict[str, str | None]:
        """Ask what became of each order, and again while that is not known."""
        states = {one.id: await self._state(one.id) for one in self.intents}
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            waiting = [id_ for id_, state in states.items() if state == "unknown"]
            if not waiting:
                break
            await asyncio.sleep(0.2)
            states |= {id_: await self._state(id_) for id_ in waiting}
        return states

    async def _state(self, id_: str) -> str | None:
        params = {"client_order_id": id_}
        response = await self.door.ask("get_order", params, ANSWERS_WITHIN_S)
        assert response is not None, "a daemon at peace must answer"
        return outcome_of(response)


@asynccontextmanager
async def rig(folder: Path, *, orders: int, seed: int) -> AsyncIterator[tuple[Rig, list[Bot]]]:
    """Set everything up; nothing trades yet."""
    dice = random.Random(seed)  # noqa: S311 (a run, not a secret)
    token = make_home(folder)
    machine = build_terminal(seed=seed, results_file=folder / "results")
    account = machine.desk.account()
    link = Link(machine, "127.0.0.1", 1, token, seed=seed)
    figures = Figures()
    headers = {"Authorization": f"Bearer {token}"}
    async with lives(folder) as daemon, aiohttp.ClientSession(headers=headers) as http:
        linking = asyncio.create_task(link.run())
        door = Door(http=http)
        one = Rig(
            daemon=daemon,
            door=door,
            link=link,
            mischief=Mischief(machine, link, dice, figures.faults),
            truth=Truth(machine.desk.broker),
            figures=figures,
            goal=orders,
        )
        whose = (account.login, account.server)
        try:
            yield one, [Bot(f"b{n}", door, whose, dice) for n in range(BOTS)]
        finally:
            linking.cancel()
            await asyncio.wait([linking])
