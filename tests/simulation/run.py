"""Course of a run: bots that trade through all lives of a daemon, peace at last, and judgement.

What happens when is counted in orders, never in seconds. The daemon may be a real one in a process
of its own, or a simulated one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from random import Random
from typing import Any, Protocol

from .bots import Address
from .intents import Intent
from .judge import judge
from .terminals import TradedTerminal
from .verdict import Verdict

POINTS = (
    *("journaled", "written", "acked", "result", "answered", "recorded", "settled"),
    *("committing", "committed"),
)
"""Where a daemon can be killed: those of the journal
(:class:`~gateway.trading.journal.OrderLog`), and two around the commit of each group of writes."""
DISK = "disk"
"""Point of a simulated daemon alone: each write and each sync of a database."""
NO_START = "no start"
"""Where a daemon ends by itself that cannot use its disk."""
AWAY_S = 5.0
"""After a daemon was stopped until the next begins: meanwhile the brokers go on."""
OPERATIONS_AN_ORDER = 60
"""Of the disk, about."""


@dataclass(frozen=True)
class Life:
    """One life of the daemon: it is killed when it comes to a point for the nth time, or from
    outside after so many orders, whichever is first; with it the power of its computer may go."""

    orders: int = 0
    point: str = ""
    nth: int = 0
    loses_power: bool = False
    is_stopped: bool = False
    """Not killed from outside but stopped, as for an update: it does all that its end asks for."""


def plan(dice: Random, orders: int, each: int) -> list[Life]:
    """Return lives for all these orders together: two of three are to end at a point."""
    of_points = cycle(POINTS)
    points = ["" if n % 3 == 2 else next(of_points) for n in range(max(orders // each, 1))]
    dice.shuffle(points)
    return [
        Life(each * 2, point, 1 if point == "settled" else dice.randint(1, each))
        if point
        else Life(dice.randint(1, 2 * each))
        for point in points
    ]


def with_disk(dice: Random, lives: Sequence[Life], each: int) -> list[Life]:
    """Let some of these lives end at an operation of the disk, some with a power cut, and some of
    the others in order."""
    changed: list[Life] = []
    for life in lives:
        if dice.random() < 1 / 4:
            life = Life(each * 2, DISK, dice.randint(1, each * OPERATIONS_AN_ORDER))
        life = replace(life, loses_power=dice.random() < 1 / 3)
        is_left = not (life.point or life.loses_power)
        changed.append(replace(life, is_stopped=is_left and life.orders % 2 == 0))
    return changed


@dataclass
class Figures:
    """Counts of what happened to daemon and terminals in a run: kills, faults, links."""

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


class Daemons(Protocol):
    """The daemon, one life after the other."""

    death: asyncio.Future[Any]
    """Done when the present life is over."""

    async def begin(self, life: Life) -> dict[str, Any] | None:
        """Start a daemon; return its ready line, ``None`` if it was dead before that."""

    async def end(self) -> None:
        """Kill the daemon, if it has not done so itself."""


@dataclass(kw_only=True)
class Run:
    """One run: so many orders by all bots together.

    Attributes:
        fail: called with the terminal of each new intent; may let something fail.
        pacify: lets nothing fail any more.

    """

    daemons: Daemons
    address: Address
    terminals: Sequence[TradedTerminal]
    goal: int
    fail: Callable[[TradedTerminal], None]
    pacify: Callable[[], None]
    figures: Figures = field(default_factory=Figures)
    verdict: Verdict = field(default_factory=Verdict)
    begun: int = 0
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    async def trade(self, lives: Sequence[Life], bots: Sequence[Coroutine[Any, Any, Any]]) -> None:
        """Let the bots trade through all lives and a last one, in peace, which goes on."""
        trading = [asyncio.create_task(bot) for bot in bots]
        for life in lives:
            await self._live(life)
        self.pacify()
        await self._rise(Life())
        await asyncio.gather(*trading)
        await self._settle()

    async def _settle(self) -> None:
        await asyncio.gather(*(one.books.settle(one.client) for one in self._firsts()))

    def _firsts(self) -> list[TradedTerminal]:
        """Return one terminal of each account."""
        return [one for one in self.terminals if one.partner is None]

    async def judge(self) -> None:
        """Compare what everybody was told with what the brokers did; end the last life."""
        for terminal in self._firsts():
            books = terminal.books
            judge(books.intents, await books.heard(terminal.client), books.truth, self.verdict)
            books.truth.check()
            self.figures.links += len(books.links)
            for rule, broken in books.broken():
                self.verdict.breach(rule, broken)
        await self._fall()

    def begin_at(self, terminal: TradedTerminal) -> Callable[[Intent], bool]:
        """Return what a bot of a terminal calls with each new intent."""

        def begin(intent: Intent) -> bool:
            if not self.begin_other():
                return False
            terminal.books.begin(intent)
            self.fail(terminal)
            return True

        return begin

    def begin_other(self) -> bool:
        """Count an order that is for no terminal; return whether it is to be carried out."""
        if self.begun >= self.goal:
            return False
        self.begun += 1
        if self._waiting and self.begun >= self._waiting[0][0]:
            self._waiting.pop(0)[1].set()
        return True

    # --- the daemon ------------------------------------------------------------------------

    async def _live(self, life: Life) -> None:
        """Run the daemon until it is dead."""
        await self._rise(life)
        enough = asyncio.create_task(self._after(life.orders))
        await asyncio.wait((self.daemons.death, enough), return_when=asyncio.FIRST_COMPLETED)
        enough.cancel()
        if self.daemons.death.done():
            self.figures.points[life.point or NO_START] += 1
        if life.loses_power:
            self.figures.faults["power_cut"] += 1
        await self._fall()
        if life.is_stopped:
            await asyncio.sleep(AWAY_S)

    async def _rise(self, life: Life) -> None:
        ready = await self.daemons.begin(life)
        if ready is None:
            return
        for terminal in self.terminals:
            terminal.link.port = int(ready["bridge"].rpartition(":")[2])
        self.address.url = ready["rpc"]
        self.address.up.set()

    async def _fall(self) -> None:
        self.address.up.clear()
        await self.daemons.end()
        self.figures.kills += 1

    async def _after(self, orders: int) -> None:
        """Wait until so many more orders were begun, or all are."""
        count = min(self.begun + orders, self.goal)
        if self.begun < count:
            reached = asyncio.Event()
            self._waiting = [(count, reached)]  # one life at a time
            await reached.wait()
