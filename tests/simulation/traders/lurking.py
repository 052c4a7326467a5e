"""Bots whose stop-limit orders the gateway keeps itself, where the platform has none."""

from __future__ import annotations

import asyncio
from random import Random

from ..believed_holdings import BelievedHoldings
from ..bot_requests import POINT, BotRequest
from ..intents import Json
from ..plugins import trader
from ..terminals import TradedTerminal
from ..world import World
from .careless import new_bot

SYMBOL = "EURUSD"
MAGIC = 10
"""Of these bots alone."""
POINTS = (1, 8)
"""From the market to the price, and from there to that of the limit order."""
WAITS_S = 4.0
"""Until what is left is cancelled, on average."""


@trader("lurking", count=3, suits=lambda terminal: terminal.truth.broker.terms.platform == "mt4")
async def lurk(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Wait for a price; take back what is left, as long as it waits."""
    holdings = BelievedHoldings()
    bot, run = new_bot(terminal, name, dice, holdings=holdings), world.run
    begin = run.begin_at(terminal)
    while run.begun < run.goal:
        quote = holdings.quotes.get(SYMBOL)
        order: Json = {"symbol": SYMBOL, "volume": 0.01, "magic": MAGIC}
        side = dice.choice(("buy", "sell"))
        if quote is None:  # a receipt tells it
            order["side"] = side
        else:
            towards = POINT if side == "buy" else -POINT
            price = quote[side == "buy"] + towards * dice.randint(*POINTS)
            limit = price - towards * dice.randint(*POINTS)
            order |= {"type": f"{side}_stop_limit"}
            order |= {"price": round(price, 5), "stoplimit": round(limit, 5)}
        made = await bot.carry_out(BotRequest("place_order", order), begin)
        await asyncio.sleep(dice.expovariate(1 / WAITS_S))
        receipt = None if made is None else made.receipt
        if receipt is not None and receipt.order is not None and quote is not None:
            await bot.carry_out(BotRequest("cancel_order", {"ticket": receipt.order}), begin)
        elif receipt is not None and receipt.position is not None:
            await bot.carry_out(BotRequest("close_position", {"ticket": receipt.position}), begin)
