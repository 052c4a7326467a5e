"""Bots that do the same at once: equal orders, then changes of one of them all at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from ..believed_holdings import BelievedHoldings
from ..bot_requests import FAR_ABOVE, FAR_BELOW, POINT, BotRequest
from ..bots import Bot
from ..intents import Intent, Json
from ..plugins import trader
from ..run import Run
from ..terminals import TradedTerminal
from ..world import World
from .careless import new_bot

CROWD = 3
SYMBOL = "EURUSD"
MAGIC = 11
"""Of these bots alone."""
LOTS = 0.03
PAUSE_S = 1.5
"""Between two rushes, on average."""
STOP_POINTS = (500, 900)
"""So far from the market that no stop is met soon."""


@trader("crowding", count=1)
async def crowd(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Rush together, again and again."""
    clients = [] if terminal.partner is None else [terminal.client, terminal.partner.client]
    holdings = BelievedHoldings()
    bots = [new_bot(terminal, f"{name}-{n}", dice, clients, holdings) for n in range(CROWD)]
    run = world.run
    while run.begun < run.goal:
        made = await _place(bots, terminal, run, dice)
        if terminal.truth.broker.terms.hedging and dice.random() < 0.5:
            await _meet(bots, made, terminal, run)
        for intent in made:
            await _change(bots, intent, terminal, run, dice)
        await asyncio.sleep(dice.expovariate(1 / PAUSE_S))


async def _place(
    bots: Sequence[Bot], terminal: TradedTerminal, run: Run, dice: Random
) -> list[Intent]:
    """Send equal orders at once; return those that are done."""
    order: Json = {"symbol": SYMBOL, "volume": LOTS, "magic": MAGIC}
    wanted = [BotRequest("place_order", order)] * CROWD
    if dice.random() < 0.7:
        order["side"] = dice.choice(("buy", "sell"))
    else:
        kind, price = dice.choice((("buy_limit", FAR_BELOW), ("sell_limit", FAR_ABOVE)))
        order |= {"type": kind, "price": price}
        if dice.random() < 0.5:  # equal in all but their prices
            prices = (round(price + n * POINT, 5) for n in range(CROWD))
            wanted = [BotRequest("place_order", order | {"price": one}) for one in prices]
    begin = run.begin_at(terminal)
    placing = (bot.carry_out(wanted, begin) for bot, wanted in zip(bots, wanted, strict=True))
    made = await asyncio.gather(*placing)
    return [one for one in made if one is not None and one.receipt is not None]


async def _meet(
    bots: Sequence[Bot], made: list[Intent], terminal: TradedTerminal, run: Run
) -> None:
    """Close one of some positions by an opposite one, by several calls at once."""
    ours = [one for one in made if "side" in one.params]
    if not ours:
        return
    intent, begin = made.pop(made.index(ours[0])), run.begin_at(terminal)
    side = "sell" if intent.params["side"] == "buy" else "buy"
    other = await bots[0].carry_out(
        BotRequest("place_order", intent.params | {"side": side}), begin
    )
    receipts = [intent.receipt, None if other is None else other.receipt]
    tickets = [one.position for one in receipts if one is not None and one.position is not None]
    if len(tickets) == 2:
        both = {"position": tickets[0], "position_by": tickets[1]}
        calls = (bot.carry_out(BotRequest("close_by", both), begin) for bot in bots[:2])
        await asyncio.gather(*calls)
    for ticket in tickets:
        await bots[0].carry_out(BotRequest("close_position", {"ticket": ticket}), begin)


async def _change(
    bots: Sequence[Bot], intent: Intent, terminal: TradedTerminal, run: Run, dice: Random
) -> None:
    """Change what an order has made, several ways at once; leave nothing of it."""
    receipt, begin = intent.receipt, run.begin_at(terminal)
    assert receipt is not None
    waits = "type" in intent.params
    ticket = receipt.order if waits else receipt.position
    if ticket is None:
        return
    draw = _change_of_order if waits else _change_of_position
    named = "side" if "side" in intent.params else "type"
    side = 1 if intent.params.get(named, "")[:3] == "buy" else -1
    price = intent.params["price"] if waits else receipt.price
    if price is not None:
        wanted = [draw(ticket, price, side, dice) for _ in bots]
        pairs = zip(bots, wanted, strict=True)
        await asyncio.gather(*(bot.carry_out(wanted, begin) for bot, wanted in pairs))
    last = BotRequest("cancel_order" if waits else "close_position", {"ticket": ticket})
    await bots[0].carry_out(last, begin)


def _change_of_position(ticket: int, price: float, side: int, dice: Random) -> BotRequest:
    draw = dice.random()
    if draw < 0.25:
        return BotRequest("close_position", {"ticket": ticket})
    if draw < 0.45:
        return BotRequest("close_position", {"ticket": ticket, "volume": 0.01})
    away = -side if draw < 0.75 else side
    name = "sl" if away == -side else "tp"
    stop = round(price + away * dice.randint(*STOP_POINTS) * POINT, 5)
    return BotRequest("modify_order", {"ticket": ticket, "target": "position", name: stop})


def _change_of_order(ticket: int, price: float, side: int, dice: Random) -> BotRequest:
    draw = dice.random()
    if draw < 0.25:
        return BotRequest("cancel_order", {"ticket": ticket})
    if draw < 0.5:
        return BotRequest("modify_order", {"ticket": ticket, "price": round(price + POINT, 5)})
    away, name = (-side, "sl") if draw < 0.75 else (side, "tp")
    stop = round(price + away * dice.randint(*STOP_POINTS) * POINT, 5)
    return BotRequest("modify_order", {"ticket": ticket, name: stop})
