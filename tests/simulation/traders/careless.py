"""Careless bots, which trade in every way there is; see :mod:`simulation.bots`."""

from __future__ import annotations

from random import Random

from ..bots import Bot
from ..plugins import trader
from ..terminals import TradedTerminal
from ..wishes import Habits
from ..world import World

THINKS_S = 1.5


def new_bot(terminal: TradedTerminal, name: str, dice: Random) -> Bot:
    """Return a bot of a terminal."""
    terms = terminal.books.truth.broker.terms
    habits = Habits(is_mt4=terms.platform == "mt4", hedges=terms.hedging, thinks_s=THINKS_S)
    return Bot(
        name,
        [terminal.door],
        terminal.account,
        dice,
        asked=terminal.books.asked,
        sweeps=terminal.books.sweeps,
        habits=habits,
    )


@trader("careless", count=4)
async def trade(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade until there are orders enough."""
    await new_bot(terminal, name, dice).run(world.run.begin_at(terminal))
