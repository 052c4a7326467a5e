"""Bots at a terminal that often leaves the ends of orders unknown, and a person who settles them.

The person has looked at the broker's books, and mostly tells what is there; at times the person is
wrong, or settles what is not unknown.
"""

from __future__ import annotations

import asyncio
from random import Random

from ..believed_holdings import BelievedHoldings
from ..bot_requests import FAR_ABOVE, FAR_BELOW, BotRequest
from ..intents import Intent, Json
from ..plugins import RIGHTS, trader
from ..terminals import TradedTerminal
from ..told_rules import SETTLES
from ..watchers.by_hand import BY_HAND, HandWatcher, hand_watcher
from ..world import World
from .careless import new_bot

THINKS_S = 0.5
LOOKS_S = 0.1
"""Between two looks of the person, on average."""
WAIT_S = 15.0
FAILURES = (
    *("crash_before", "crash_after", "open_before", "open_after", "open_before", "open_after"),
    *("lose_result", "cut_unacked", "cut_after_ack"),
)
FAILS = 0.4
"""Share of the orders that such a failure comes before."""
TRUTHFUL, MISPLACED = 0.5, 0.02
"""Shares of what the person says: that is so; of an order that may not be unknown."""
NO_TICKET = 2_000_000_000
"""Of no order: from here on."""

RIGHTS[BY_HAND] = lambda _: {"scopes": ("admin",)}


@trader("unsure", count=2, alone_at=BY_HAND)
async def trade(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade until there are orders enough."""
    holdings, watcher = BelievedHoldings(), hand_watcher(world)
    bot, begin = new_bot(terminal, name, dice, holdings=holdings), world.run.begin_at(terminal)
    goes_on = True
    while goes_on:
        if watcher.fails and dice.random() < FAILS:
            terminal.misbehave(dice.choice(FAILURES), dice)
        goes_on = await bot.carry_out(_draw(holdings, watcher, dice), begin) is not None
        await asyncio.sleep(dice.expovariate(1 / THINKS_S))


def _draw(holdings: BelievedHoldings, watcher: HandWatcher, dice: Random) -> BotRequest:
    if holdings.positions and (dice.random() < 0.2 or len(holdings.positions) > 4):
        return BotRequest("close_position", {"ticket": dice.choice(holdings.positions).ticket})
    if holdings.orders and (dice.random() < 0.2 or len(holdings.orders) > 4):
        return BotRequest("cancel_order", {"ticket": dice.choice(holdings.orders).ticket})
    side = dice.choice(("buy", "sell"))
    order: Json = {"symbol": "EURUSD", "volume": 0.01, "magic": next(watcher.magics)}
    if dice.random() < 0.6:
        return BotRequest("place_order", order | {"side": side})
    price = FAR_BELOW if side == "buy" else FAR_ABOVE
    return BotRequest("place_order", order | {"type": f"{side}_limit", "price": price})


@trader("settling", count=1, alone_at=BY_HAND)
async def settle(world: World, terminal: TradedTerminal, _: str, dice: Random) -> None:
    """Look at what is unknown now and then, and settle it."""
    watcher, run = hand_watcher(world), world.run
    while run.begun < run.goal:
        await asyncio.sleep(dice.expovariate(1 / LOOKS_S))
        intents = terminal.intents[-20:]
        if dice.random() >= MISPLACED:
            intents = [one for one in intents if _is_unknown(one)]
        if intents:
            intent = dice.choice(intents)
            params = _say(intent, watcher, dice) | {"client_order_id": intent.id}
            answer = await terminal.client.ask(SETTLES, params, WAIT_S)
            _judge(world, watcher, intent, answer)


def _is_unknown(intent: Intent) -> bool:
    return bool(intent.replies) and intent.replies[-1].outcome == "unknown"


def _say(intent: Intent, watcher: HandWatcher, dice: Random) -> Json:
    """Return what the person says of an order."""
    executed = watcher.executed(intent, watcher.commands_of(intent.id))
    is_executed = bool(executed)
    if dice.random() < TRUTHFUL:
        ticket = executed[0].result.order if executed else 0
    else:
        is_executed = not is_executed or dice.random() < 0.3
        ticket = NO_TICKET + next(watcher.magics)
    if not is_executed:
        return {"executed": False}
    makes_order = intent.method != "cancel_order"
    return {"executed": True} | ({"ticket": ticket} if makes_order else {})


def _judge(world: World, watcher: HandWatcher, intent: Intent, answer: Json | None) -> None:
    """See that who was told that an order is settled was told what is on the disk."""
    if answer is None:
        return
    if "error" in answer:
        if answer["error"]["data"]["name"] == "invalid_params":
            world.sometimes("by hand: refused")
    elif intent.id not in watcher.rules.said:
        watcher.accuse(f"{intent.id} was told to be settled, and is not: {answer}")
