"""Programs that set the dead man's switch, and fall silent after a while."""

from __future__ import annotations

import asyncio
from random import Random

from ..bot_requests import FAR_ABOVE, FAR_BELOW, BotRequest
from ..bots import Bot
from ..intents import Intent
from ..plugins import trader
from ..silence_rules import ARMS
from ..terminals import TradedTerminal
from ..watchers.silence import SILENT, SilenceWatcher
from ..world import World
from .careless import new_bot

SYMBOL = "EURUSD"
WAIT_S = 5.0
TIMEOUTS_MS = (1000, 1000, 1500, 4000)
LOOK_S = 0.25
"""Between two looks whether all has ended."""
BOUND_S, ROUGH_BOUND_S = 3.0, 40.0
"""In which all has ended after the timer ran out: while nothing fails; while the terminal was
linked to one life of the daemon, whatever else has failed. Whoever does not get it done in that
time has to say so."""


@trader("silent", count=1, alone_at=SILENT)
async def fall_silent(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade, talk for a while and fall silent, again and again."""
    bot, run = new_bot(terminal, name, dice), world.run
    while run.begun < run.goal:
        timeout_ms = dice.choice(TIMEOUTS_MS)
        action = dice.choice(("cancel_orders", "cancel_and_close"))
        if not await _arm(terminal, timeout_ms, action):
            await asyncio.sleep(LOOK_S)
            continue
        for _ in range(dice.randint(1, 3)):
            await _trade(bot, world, terminal, dice)
        for _ in range(dice.randint(0, 5)):
            await asyncio.sleep(dice.uniform(0.0, timeout_ms / 1500))
            await terminal.client.ask("get_trading_enabled", {}, WAIT_S)
        if dice.random() < 0.2 and await _arm(terminal, 0, action):
            await asyncio.sleep(timeout_ms / 800)
        elif await _arm(terminal, timeout_ms, action):
            await _see_end(world, terminal, timeout_ms / 1000, closes=action != "cancel_orders")


async def _arm(terminal: TradedTerminal, timeout_ms: int, action: str) -> bool:
    """Set the timer, or put it off; return whether that is sure."""
    params = {"timeout_ms": timeout_ms, "action": action}
    answer = await terminal.client.ask(ARMS, params, WAIT_S)
    return answer is not None and "result" in answer


async def _trade(bot: Bot, world: World, terminal: TradedTerminal, dice: Random) -> Intent | None:
    order = {"symbol": SYMBOL, "volume": 0.01}
    kind = dice.choice(("buy_limit", "sell_limit", "buy", "sell"))
    if kind in ("buy", "sell"):
        wanted = BotRequest("place_order", order | {"side": kind})
    else:
        price = FAR_BELOW if kind == "buy_limit" else FAR_ABOVE
        wanted = BotRequest("place_order", order | {"type": kind, "price": price})
    return await bot.carry_out(wanted, world.run.begin_at(terminal))


async def _see_end(
    world: World, terminal: TradedTerminal, within_s: float, *, closes: bool
) -> None:
    """Say nothing until all has ended, or was told to be left."""
    watcher = next(one for one in world.watchers if isinstance(one, SilenceWatcher))
    bound_s = within_s + (ROUGH_BOUND_S if world.options.kills_every else BOUND_S)
    meant = watcher.open(closes=closes)
    watcher.left.clear()
    silent_s, stage = 0.0, watcher.stage()
    while left := meant & watcher.open(closes=closes) - watcher.left:
        if silent_s > bound_s:
            watcher.accuse(f"{sorted(left)} are there {silent_s} s after a program fell silent")
            return
        await asyncio.sleep(LOOK_S)
        # time may leap, and a link or a call begins it anew
        silent_s, before, stage = silent_s + LOOK_S, stage, watcher.stage()
        if stage != before:
            silent_s = 0.0
    if meant:
        world.sometimes("silence: all was ended")
