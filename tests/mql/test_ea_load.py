"""What the EA asks of its terminal under load, counted: times depend on the machine."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from linked_ea import NOW_MSC, TIMEOUT_S, Compile, FastTimers, LinkedEa, plain_config
from load_parts import past_orders, positions_of

from ea_bridge.commands import ORDER_SEND, TRAIL_SET
from ea_bridge.model import OrderType, TradeAction, TradeRequest, TrailTerms
from ea_bridge.protocol.messages import Event, Trade
from ea_bridge.session import TerminalSession

TRAILS = 20
PASSES = 400
"""Of the EA's loop; it looks at the price of a trailed symbol in each."""
READS = {"mt5": "PositionGetDouble", "mt4": "OrderSelect"}
MOST_READS = 8
"""Of one position, to know it whole."""
PAST = 500
SPEED = 100.0
LAG_S = 300
"""As ``EVENTS_LAG_S`` of the EA."""


async def calls(ea: LinkedEa) -> dict[str, int]:
    """How often the EA has called each function of its terminal."""
    made: dict[str, int] = await ea.terminal.do("calls")
    return made


async def until_called(ea: LinkedEa, name: str, count: int) -> dict[str, int]:
    """Wait until a function was called so often; return all counts."""
    async with asyncio.timeout(TIMEOUT_S):
        made = await calls(ea)
        while made.get(name, 0) < count:
            await asyncio.sleep(0.02)
            made = await calls(ea)
    return made


@pytest.mark.parametrize("platform", ["mt5", "mt4"])
async def test_a_trailed_position_is_read_when_the_price_moves_and_once_a_second(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """A thousand times a second the EA looks at one price for all trails of a symbol."""
    config = {**plain_config(tmp_path), "books": positions_of(TRAILS), "deposit": 0}
    async with LinkedEa(compile_ea(platform), config) as ea:
        for one in config["books"]["positions"]:
            await ea.ask(TRAIL_SET, TrailTerms(ticket=one["ticket"], distance=300))
        # before the first count and after the last: the EA had no more seconds than these
        began_s, before = time.monotonic(), await calls(ea)
        looked = before.get("SymbolInfoTick", 0)
        after = await until_called(ea, "SymbolInfoTick", looked + PASSES)
        # of every started second one look at each position by the trails, one by the events
        most = 2 * TRAILS * MOST_READS * (time.monotonic() - began_s + 2)
        name = READS[platform]
        assert after[name] - before[name] <= most
        ea.terminal.tell(do="tick", symbol="EURUSD", bid=1.5, ask=1.5001)
        async with asyncio.timeout(TIMEOUT_S):
            stops: list[float] = [0]
            while not all(stops):
                await asyncio.sleep(0.02)
                stops = [one["sl"] for one in (await ea.terminal.do("books"))["positions"]]


class Deals:
    """The events of trades."""

    def __init__(self) -> None:
        self.told: list[Trade] = []
        self._news = asyncio.Event()

    def event(self, session: TerminalSession, event: Event) -> None:
        if isinstance(event, Trade):
            self.told.append(event)
            self._news.set()

    async def until(self, **wanted: Any) -> None:
        """Wait for an event with these members."""
        async with asyncio.timeout(TIMEOUT_S):
            while not any(self._fits(one, wanted) for one in self.told):
                self._news.clear()
                await self._news.wait()

    @staticmethod
    def _fits(one: Trade, wanted: dict[str, Any]) -> bool:
        noun = one.deal or one.order
        return bool(noun) and all(getattr(noun, name) == value for name, value in wanted.items())


def fast_ea(program: Path, config: dict[str, Any], deals: Deals) -> LinkedEa:
    """An EA whose clock runs fast."""
    config |= {"speed": SPEED, "deposit": 0}
    return LinkedEa(program, config, on_event=deals.event, timers=partial(FastTimers, speed=SPEED))


async def looks(ea: LinkedEa, count: int) -> float:
    """Let the EA look into the history so often; return how many tickets it read at each."""
    before = await calls(ea)
    after = await until_called(ea, "HistorySelect", before["HistorySelect"] + count)
    read = after.get("HistoryOrderGetTicket", 0) - before.get("HistoryOrderGetTicket", 0)
    return read / (after["HistorySelect"] - before["HistorySelect"])


async def test_the_past_is_let_go_of_though_no_deal_is_made(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """Orders that were cancelled make a look dear for some minutes, not for good; what comes
    then is still told.
    """
    deals = Deals()
    config = {**plain_config(tmp_path), "books": past_orders(PAST)}
    async with fast_ea(compile_ea("mt5"), config, deals) as ea:
        await ea.live()
        assert await looks(ea, 3) == PAST
        later = NOW_MSC + 3 * LAG_S * 1000
        await ea.terminal.do("clock", offset_ms=later - round(time.time() * 1000))
        ea.terminal.tell(do="tick", symbol="EURUSD", bid=1.0, ask=1.0001, msc=later)
        async with asyncio.timeout(TIMEOUT_S):
            while await looks(ea, 3) > 0:
                pass
        far = TradeRequest(
            action=TradeAction.PENDING,
            symbol="EURUSD",
            volume=0.1,
            type=OrderType.BUY_LIMIT,
            price=0.5,
        )
        placed = await ea.ask(ORDER_SEND, far, ttl_ms=0)
        gone = TradeRequest(action=TradeAction.REMOVE, order=placed.order)
        await ea.ask(ORDER_SEND, gone, ttl_ms=0)
        await deals.until(ticket=placed.order, state=2)


async def test_what_happened_while_the_broker_was_away_is_told_though_its_stamps_are_old(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """A deal comes into the history after the connection is back: hours late by its stamp."""
    deals = Deals()
    async with fast_ea(compile_ea("mt5"), plain_config(tmp_path), deals) as ea:
        await ea.live()
        await ea.terminal.switch(connected=False)
        hour_ms = 3_600_000
        ea.terminal.tell(
            do="tick", symbol="EURUSD", bid=1.0, ask=1.0001, msc=NOW_MSC + 2 * hour_ms
        )
        await looks(ea, 3)
        await ea.terminal.switch(connected=True)
        await looks(ea, 3)
        past_ms = NOW_MSC + hour_ms - round(time.time() * 1000)
        await ea.terminal.do("clock", offset_ms=past_ms)
        await ea.terminal.do("deposit", amount=77, comment="late")
        await deals.until(comment="late")
