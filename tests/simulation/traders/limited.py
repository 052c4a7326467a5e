"""Bots with a token that has limits, who ask for more than they may."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from gateway.credentials.record import TradeLimits

from ..believed_holdings import BelievedHoldings
from ..bot_requests import FAR_ABOVE, FAR_BELOW, MAGICS, BotRequest
from ..intents import Json
from ..plugins import RIGHTS, trader
from ..terminals import TradedTerminal
from ..world import World
from .careless import new_bot

LIMITED = "limited"
"""The name of their terminal."""
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY")
LOTS = (0.01, 0.01, 0.02, 0.02, 0.03, 0.05, 0.06)
REVERSAL_SHARE = 0.2
"""Of the times that something is open: it is closed, and turned round at the same time, by as much
as it can while it is open."""
THINKS_S = 0.5


def draw_rights(dice: Random) -> dict[str, Any]:
    """Return what a token of theirs may do at most."""
    limits: dict[str, Any] = {
        "max_lot": dice.choice(("0.02", "0.05")),
        "max_open_lots": dice.choice(("0.1", "0.31")),
        "max_orders_per_min": dice.choice((4, 12, 25)),
        "allowed_symbols": dice.choice((SYMBOLS[:1], SYMBOLS[:2])),
    }
    for name in dice.sample(sorted(limits), dice.randint(1, 3)):
        del limits[name]  # or the strictest would hide the others
    return {"limits": TradeLimits(**limits)}


RIGHTS[LIMITED] = draw_rights


@trader("limited", count=3, alone_at=LIMITED)
async def trade(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade until there are orders enough, within the limits and beyond them."""
    holdings = BelievedHoldings()
    bot, begin = new_bot(terminal, name, dice, holdings=holdings), world.run.begin_at(terminal)
    most = float(world.records[LIMITED].limits.max_open_lots or LOTS[-1])
    goes_on = True
    while goes_on:
        wanted = _draw_both(holdings, most, dice)
        ends = await asyncio.gather(*(bot.carry_out(one, begin) for one in wanted))
        goes_on = None not in ends
        await asyncio.sleep(dice.expovariate(1 / THINKS_S))


def _draw_both(holdings: BelievedHoldings, most: float, dice: Random) -> list[BotRequest]:
    if not holdings.positions or dice.random() >= REVERSAL_SHARE:
        return [_draw(holdings, dice)]
    held = dice.choice(holdings.positions)
    way_out = BotRequest("close_position", {"ticket": held.ticket})
    other: Json = {
        "symbol": held.symbol,
        "volume": round(most + held.lots, 2),
        "magic": dice.choice(MAGICS),
        "side": "sell" if held.side == "buy" else "buy",
    }
    return [way_out, BotRequest("place_order", other)]


def _draw(holdings: BelievedHoldings, dice: Random) -> BotRequest:
    if holdings.positions and (dice.random() < 0.3 or len(holdings.positions) > 6):
        return BotRequest("close_position", {"ticket": dice.choice(holdings.positions).ticket})
    if holdings.orders and dice.random() < 0.25:
        return BotRequest("cancel_order", {"ticket": dice.choice(holdings.orders).ticket})
    order: Json = {
        "symbol": dice.choice(SYMBOLS),
        "volume": dice.choice(LOTS),
        "magic": dice.choice(MAGICS),
    }
    if dice.random() < 0.7:
        return BotRequest("place_order", order | {"side": dice.choice(("buy", "sell"))})
    kind = dice.choice(("buy_limit", "sell_limit"))
    price = FAR_BELOW if kind == "buy_limit" else FAR_ABOVE
    return BotRequest("place_order", order | {"type": kind, "price": price})
