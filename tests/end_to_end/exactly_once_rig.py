"""The exactly-once run on real sockets: bots, a daemon that is killed, terminals that fail.

The terminals run in the test's process and outlive every daemon, so their brokers' books are the
truth. What happens when is drawn from a seed and counted in orders, never in seconds: a slow
machine sees much the same run. The same run on simulated time is in :mod:`simulation`, whose bots
and whose judge these are.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from exactly_once_door import AiohttpDoor
from exactly_once_lives import lives, make_home
from simulation.bot_requests import Habits
from simulation.bots import Address, Bot
from simulation.run import Figures, Life, Run
from simulation.terminals import (
    CRASHES,
    CUTS,
    KINDS,
    OPEN_ENDS,
    OTHERS,
    TradedTerminal,
)
from simulation.verdict import Verdict

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink

SYMBOL = "EURUSD"
BOTS = 4
"""At each terminal."""


@dataclass(kw_only=True)
class Rig:
    """One run on real sockets: about how many orders come to one fault of a terminal."""

    run: Run
    dice: random.Random
    orders_a_fault: int

    @property
    def figures(self) -> Figures:
        """What was done to them."""
        return self.run.figures

    async def live(self, plan: Sequence[Life]) -> Verdict:
        """Let the bots trade through all lives and a last one, in peace; then judge."""
        run = self.run
        linking = [asyncio.create_task(terminal.link.run()) for terminal in run.terminals]
        bots = [
            self._bot(terminal, n).run(run.begin_at(terminal))
            for terminal in run.terminals
            for n in range(BOTS)
        ]
        await run.trade(plan, bots)
        for task in linking:
            task.cancel()
        await asyncio.wait(linking)  # what the daemon says of an order it says without a terminal
        await run.judge()
        return run.verdict

    def _bot(self, terminal: TradedTerminal, n: int) -> Bot:
        books, terms = terminal.books, terminal.truth.broker.terms
        return Bot(
            f"{terminal.name}-{n}",
            [terminal.client],
            terminal.account,
            self.dice,
            asked=books.asked,
            sweeps=books.sweeps,
            habits=Habits(is_mt4=terms.platform == "mt4", hedges=terms.hedging, symbols=(SYMBOL,)),
        )

    def fail(self, terminal: TradedTerminal) -> None:
        """Let something fail, if the dice say so."""
        if self.orders_a_fault and self.dice.random() < 1 / self.orders_a_fault:
            kind = self.dice.choice((*CUTS, *CUTS, *CRASHES, *OPEN_ENDS, *OTHERS))
            self.figures.faults[kind] += 1
            terminal.misbehave(kind, self.dice)

    def pacify(self) -> None:
        """Let nothing fail any more."""
        self.orders_a_fault = 0
        for terminal in self.run.terminals:
            terminal.behave()


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
        is_rough: as of a :class:`~simulation.terminals.TradedTerminal`.

    """
    tokens = make_home(folder, *KINDS)
    address = Address()
    async with lives(folder) as daemon, aiohttp.ClientSession() as http:
        terminals = [
            TradedTerminal(
                name, machine, EmulatedLink(machine, "127.0.0.1", 1, token, seed=seed), door
            )
            for n, (name, token) in enumerate(tokens.items())
            for door in [AiohttpDoor(http, address, token)]
            for machine in [
                build_terminal(
                    seed=seed + n, watch=[SYMBOL], results_file=folder / name, **KINDS[name]
                )
            ]
        ]
        for terminal in terminals:
            terminal.is_rough = is_rough
            terminal.machine.faults.rewrite_comment = 1_000_000 if is_rough else 0
        made: Rig
        run = Run(
            daemons=daemon,
            address=address,
            terminals=terminals,
            goal=orders,
            fail=lambda terminal: made.fail(terminal),
            pacify=lambda: made.pacify(),
        )
        dice = random.Random(seed)  # noqa: S311 (a run, not a secret)
        made = Rig(run=run, dice=dice, orders_a_fault=orders_a_fault)
        yield made
