"""Bots that wait on both sides of the market, with orders of which the first cancels the other."""

from __future__ import annotations

import asyncio
from random import Random

from ..believed_holdings import BelievedHoldings
from ..bot_requests import BotRequest, straddle
from ..bots import Bot
from ..intents import Intent
from ..plugins import trader
from ..run import Run
from ..terminals import TradedTerminal
from ..world import World
from .careless import new_bot

SYMBOL = "EURUSD"
POINTS = (5, 40)
WAITS_S = 4.0
"""For one of them to be filled, on average."""
STAYS, STAYS_S = 0.3, 20.0
"""Share of the times at which it waits for longer: the gateway has to cancel the other one."""


@trader("straddling", count=1, suits=lambda terminal: terminal.partner is None)
async def wait(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Wait on both sides, and take back what is left; again and again."""
    holdings = BelievedHoldings()
    bot = new_bot(terminal, name, dice, holdings=holdings)
    run = world.run
    while run.begun < run.goal:
        tickets = await _place(bot, holdings, terminal, run, dice)
        if len(tickets) == 2:
            await terminal.books.asked.link(terminal.client, tickets)
        await asyncio.sleep(dice.expovariate(1 / WAITS_S))
        if dice.random() < STAYS:
            await asyncio.sleep(STAYS_S)
        for ticket in tickets:
            await bot.carry_out(
                BotRequest("cancel_order", {"ticket": ticket}), run.begin_at(terminal)
            )


async def _place(
    bot: Bot, holdings: BelievedHoldings, terminal: TradedTerminal, run: Run, dice: Random
) -> list[int]:
    begin = run.begin_at(terminal)
    quote = holdings.quotes.get(SYMBOL)
    if quote is None:  # a receipt tells it
        params = {"symbol": SYMBOL, "side": "buy", "volume": 0.01}
        await bot.carry_out(BotRequest("place_order", params), begin)
        return []
    made: list[Intent | None] = [
        await bot.carry_out(one, begin) for one in straddle(quote, dice.randint(*POINTS), SYMBOL)
    ]
    receipts = [None if one is None else one.receipt for one in made]
    return [one.order for one in receipts if one is not None and one.order is not None]
