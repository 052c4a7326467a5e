"""Careless bots, which trade in every way there is; see :mod:`simulation.bots`."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..believed_holdings import BelievedHoldings
from ..bot_requests import Habits
from ..bots import Bot, TerminalClient
from ..plugins import trader
from ..terminals import TradedTerminal
from ..world import World

THINKS_S = 1.5
RACERS = 4


def new_bot(
    terminal: TradedTerminal,
    name: str,
    dice: Random,
    clients: Sequence[TerminalClient] = (),
    holdings: BelievedHoldings | None = None,
) -> Bot:
    """Return a bot of a terminal."""
    terms = terminal.truth.broker.terms
    habits = Habits(is_mt4=terms.platform == "mt4", hedges=terms.hedging, thinks_s=THINKS_S)
    return Bot(
        name,
        clients or [terminal.client],
        terminal.account,
        dice,
        asked=terminal.books.asked,
        sweeps=terminal.books.sweeps,
        habits=habits,
        holdings=holdings,
    )


@trader("careless", count=4, suits=lambda terminal: terminal.partner is None)
async def trade(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade until there are orders enough."""
    await new_bot(terminal, name, dice).run(world.run.begin_at(terminal))


@trader("racing", count=RACERS, suits=lambda terminal: terminal.partner is not None)
async def race(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Race with the others for what all of them have, by both terminals of the account."""
    assert terminal.partner is not None
    clients = [terminal.client, terminal.partner.client]
    bot = new_bot(terminal, name, dice, clients, terminal.books.common)
    await bot.run(world.run.begin_at(terminal))
