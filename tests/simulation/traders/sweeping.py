"""Bots that open several positions, or orders, and end all of them by one call."""

from __future__ import annotations

import asyncio
from random import Random

from ..bot_requests import FAR_BELOW, POINT, BotRequest
from ..intents import Json
from ..plugins import trader
from ..terminals import TradedTerminal
from ..world import World
from .careless import new_bot

MAGIC = 9
"""Of these bots alone."""
SYMBOLS = ("EURUSD", "EURUSD", "GBPUSD")
LOTS = (0.02, 0.03, 0.05)
MOST = 3
PAUSE_S = 6.0
"""Between two sweeps, on average."""


@trader("sweeping", count=1, suits=lambda terminal: terminal.partner is None)
async def sweep(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Open some, and end all; again and again."""
    bot, run = new_bot(terminal, name, dice), world.run
    begin = run.begin_at(terminal)
    while run.begun < run.goal:
        at_market = dice.random() < 0.7
        for _ in range(dice.randint(1, MOST)):
            order: Json = {"symbol": dice.choice(SYMBOLS), "magic": MAGIC}
            order["volume"] = dice.choice(LOTS)
            if at_market:
                order["side"] = dice.choice(("buy", "sell"))
            else:
                price = round(FAR_BELOW + dice.randrange(8) * POINT, 5)
                order |= {"type": "buy_limit", "price": price}
            await bot.carry_out(BotRequest("place_order", order), begin)
        method = "close_all_positions" if at_market else "cancel_all_orders"
        await bot.carry_out(BotRequest(method, {"magic": MAGIC}), begin)
        await asyncio.sleep(dice.expovariate(1 / PAUSE_S))
