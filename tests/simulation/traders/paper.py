"""Bots of an account that trades on paper now and then."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random

from ..believed_holdings import BelievedHoldings
from ..bot_requests import FAR_ABOVE, FAR_BELOW, MAGICS, BotRequest
from ..intents import Intent, Json
from ..plugins import trader
from ..terminals import TradedTerminal
from ..watchers.paper import ON_PAPER, PaperWatcher, paper_watcher
from ..world import World
from .careless import new_bot

THINKS_S = 0.5
ON_S = 3.0
"""For which it is on paper, or at the market, on average."""
AGAIN_S = 0.2
SYMBOLS = ("EURUSD", "GBPUSD")


@trader("practising", count=2, alone_at=ON_PAPER)
async def trade(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade until there are orders enough, wherever the account trades."""
    holdings = BelievedHoldings()
    bot = new_bot(terminal, name, dice, holdings=holdings)
    begin, goes_on = partial(_begin, world, paper_watcher(world)), True
    while goes_on:
        goes_on = await bot.carry_out(_draw(holdings, dice), begin) is not None
        await asyncio.sleep(dice.expovariate(1 / THINKS_S))


@trader("switching", count=1, alone_at=ON_PAPER)
async def switch(world: World, terminal: TradedTerminal, _: str, dice: Random) -> None:
    """Switch between paper and the market, where it is at last."""
    watcher, run = paper_watcher(world), world.run
    while run.begun < run.goal:
        if dice.random() < 0.3:
            watcher.switch(on=not watcher.is_on)
        else:
            watcher.is_due = True
        await asyncio.sleep(dice.expovariate(1 / ON_S))
    watcher.is_due = False
    while watcher.is_on:
        watcher.switch(on=False)
        await asyncio.sleep(AGAIN_S)


def _begin(world: World, watcher: PaperWatcher, intent: Intent) -> bool:
    if not world.run.begin_other():
        return False
    watcher.intents.append(intent)
    world.fail(world.terminals[ON_PAPER])
    return True


def _draw(holdings: BelievedHoldings, dice: Random) -> BotRequest:
    if holdings.positions and (dice.random() < 0.3 or len(holdings.positions) > 4):
        return BotRequest("close_position", {"ticket": dice.choice(holdings.positions).ticket})
    if holdings.orders and (dice.random() < 0.3 or len(holdings.orders) > 4):
        return BotRequest("cancel_order", {"ticket": dice.choice(holdings.orders).ticket})
    side = dice.choice(("buy", "sell"))
    order: Json = {
        "symbol": dice.choice(SYMBOLS),
        "volume": dice.choice((0.01, 0.02)),
        "magic": dice.choice(MAGICS),
        "sl": FAR_BELOW if side == "buy" else FAR_ABOVE,
    }
    if dice.random() < 0.6:
        return BotRequest("place_order", order | {"side": side})
    price = FAR_BELOW + 0.1 if side == "buy" else FAR_ABOVE - 0.1
    return BotRequest("place_order", order | {"type": f"{side}_limit", "price": price})
