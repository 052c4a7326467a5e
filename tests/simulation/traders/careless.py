"""Careless bots, which place, modify, cancel and close; see :mod:`simulation.bots`."""

from __future__ import annotations

from random import Random

from ..bots import Bot
from ..plugins import trader
from ..terminals import TradedTerminal
from ..world import World


@trader("careless", count=4)
async def trade(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade until there are orders enough."""
    bot = Bot(name, terminal.door, terminal.account, dice)
    await bot.run(world.run.begin_at(terminal))
