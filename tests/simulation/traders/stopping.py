"""Programs that halt trading at their terminal for a moment, and lift that again."""

from __future__ import annotations

import asyncio
from random import Random

from ..plugins import trader
from ..terminals import TradedTerminal
from ..world import World

PAUSE_S = 8.0
"""Between two halts of a terminal, on average."""
HALTED_S = (0.0, 2.0)
AGAIN_S = 0.2
WAIT_S = 5.0


@trader("stopping", count=1)
async def stop(world: World, terminal: TradedTerminal, _: str, dice: Random) -> None:
    """Halt it now and then until there are orders enough."""
    run, address = world.run, world.address
    while run.begun < run.goal:
        await asyncio.sleep(dice.expovariate(1 / PAUSE_S))
        if run.begun < run.goal and address.up.is_set() and world.options.kills_every:
            halt = {"enabled": False, "reductions": dice.random() < 0.8}
            await terminal.client.ask("set_trading_enabled", halt, WAIT_S)
            await asyncio.sleep(dice.uniform(*HALTED_S))
            await _lift(terminal)


async def _lift(terminal: TradedTerminal) -> None:
    """Ask until it was lifted: the daemon may be away, and somebody at the machine may insist."""
    while True:
        answer = await terminal.client.ask("set_trading_enabled", {"enabled": True}, WAIT_S)
        if answer is not None and "result" in answer:
            return
        await asyncio.sleep(AGAIN_S)
