"""The EAs before terminals that behave in every way which the documentation leaves open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from ea_product import EaRunning, ea_product, running_ea
from linked_ea import Compile
from product import TIMEOUT_S, Client, Product, Refused, WsClient, sawtooth

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-quirks")]

PLAIN = {
    "readable_one": 0,
    "read_whole": 0,
    "read_error": 0,
    "stale": 0,
    "connect_ms": 0,
    "send_partial": 0,
    "nodelay": 0,
    "send_buffer": 0,
    "chart_policy": 0,
    "timer_ms": 10,
    "order_ms": 0,
    "blind": 0,
    "ticks_part": 0,
    "rates_part": 0,
}
QUIRKS: dict[str, dict[str, float]] = {
    "nothing": {},
    "speculative 1": {"readable_one": 1},
    "reads wait for all": {"read_whole": 1},
    "both": {"readable_one": 1, "read_whole": 1},
    "an error at a time-out": {"read_error": 1},
    "an error, and 1 of nothing": {"read_error": 1, "readable_one": 1, "stale": 1},
    "an error instead of waiting": {"read_error": 2},
    "partial sends": {"send_partial": 7},
    "a small buffer": {"send_buffer": 4096, "send_partial": 100},
    "without Nagle": {"nodelay": 1},
    "one event an id": {"chart_policy": 1},
    "one event": {"chart_policy": 2},
    "a fine timer": {"timer_ms": 1},
    "a coarse timer": {"timer_ms": 15.6},
    "slow orders": {"order_ms": 150},
    "a history in parts": {"ticks_part": 3, "rates_part": 25},
    "symbols unseen": {"blind": 1},
    "all at once": {
        "readable_one": 1,
        "read_whole": 1,
        "read_error": 1,
        "stale": 1,
        "connect_ms": 2000,
        "send_partial": 11,
        "send_buffer": 4096,
        "chart_policy": 2,
        "timer_ms": 15.6,
        "blind": 1,
    },
}
OF_MT4 = (
    "nothing",
    "partial sends",
    "a small buffer",
    "one event",
    "a coarse timer",
    "slow orders",
    "a history in parts",
    "symbols unseen",
)
"""MetaTrader 4 has Windows' own sockets, and the rest is the same code."""


@asynccontextmanager
async def lively(folder: Path, program: Path, platform: str) -> AsyncIterator[Product]:
    """Run an EA in a market that moves."""
    ticks = sawtooth(folder)
    async with ea_product(folder, program, platform=platform, speed=20.0, tick_files=ticks) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mt5(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """MetaTrader 5."""
    folder = tmp_path_factory.mktemp("ea-quirks")
    async with lively(folder, compile_ea("mt5"), "mt5") as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mt4(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """MetaTrader 4."""
    folder = tmp_path_factory.mktemp("ea-quirks")
    async with lively(folder, compile_ea("mt4"), "mt4") as one:
        yield one


async def reads(client: Client) -> None:
    """Ask for something small and something large, many times at once."""
    bars = await client.call("get_ohlc", symbol="EURUSD", timeframe="M1", count=500)
    assert len(bars["bars"]) == 500
    times = [bar["time"] for bar in bars["bars"]]
    assert times == sorted(set(times))
    history = await client.call("get_history_orders", kind="orders", limit=5000)
    assert len(history["orders"]) > 15


async def looks_around(client: Client) -> None:
    """Ask about a symbol that is not in Market Watch."""
    away = {"symbol": "USDCAD", "enable": False}
    hidden = {"symbol": "USDCAD", "select": False}
    assert await client.call("symbol_select", **away) == hidden
    assert (await client.call("get_symbol_info", symbol="USDCAD"))["digits"] == 5
    assert await client.call("symbol_select", **away) == hidden
    assert (await client.call("get_sessions", symbol="USDCAD"))["sessions"]
    await client.call("symbol_select", **away)


async def trades(client: Client) -> None:
    """Open, change, close."""
    order = {"symbol": "EURUSD", "side": "buy", "type": "market", "volume": 0.1}
    receipt = await client.call("place_order", **order)
    ticket = receipt["order"]["position"]
    await client.call("modify_order", ticket=ticket, sl=1.0, tp=1.5)
    [position] = [one for one in await client.call("get_positions") if one["ticket"] == ticket]
    assert (position["sl"], position["tp"]) == (1.0, 1.5)
    await client.call("close_position", ticket=ticket)
    assert ticket not in [one["ticket"] for one in await client.call("get_positions")]


async def hears(client: WsClient) -> None:
    """Take ticks, none of which is missing."""
    channel = "tick.all:EURUSD"
    await client.call("subscribe", channels=[channel])
    told = [await client.event(channel) for _ in range(40)]
    updates = [one for one in told if one["type"] == "update"]
    numbers = [one["seq"] for one in updates]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    await client.call("unsubscribe", channels=[channel])


async def relinked(running: Product, main: EaRunning) -> None:
    """Break the link, so that the next one begins with the quirks of now."""
    before = running.gateway.registry.get("main")
    main.wire.cut()
    await running.live("main", but_not=before)


async def works(running: Product, quirks: dict[str, float]) -> None:
    """Fail unless the EA answers, trades once, and tells every tick, over one link."""
    main = running_ea(running)
    await main.terminal.quirk(**{**PLAIN, **quirks})
    await relinked(running, main)
    client, dialled = await running.ws(), main.wire.dialled
    await reads(client)
    await looks_around(client)
    await trades(client)
    await hears(client)
    await running.close_clients()
    assert main.wire.dialled == dialled, "the link was lost"


@pytest.mark.parametrize("quirks", QUIRKS.values(), ids=QUIRKS)
async def test_whatever_the_terminal_is_like(mt5: Product, quirks: dict[str, float]) -> None:
    """The EA answers, trades once, tells every tick, and keeps its link."""
    await works(mt5, quirks)


@pytest.mark.parametrize("name", OF_MT4)
async def test_whatever_metatrader_4_is_like(mt4: Product, name: str) -> None:
    """The same, with the EA of MetaTrader 4."""
    await works(mt4, QUIRKS[name])


async def idle_timers(main: EaRunning, client: Client) -> float:
    """Which part of fifty timers and more has left the socket to events, while questions come."""
    first = await main.terminal.do("stat")
    while (now := await main.terminal.do("stat"))["timers"] < first["timers"] + 50:
        await client.call("get_account_info")
    return float(now["idle_timers"] - first["idle_timers"]) / (now["timers"] - first["timers"])


async def test_a_terminal_that_drops_events_of_their_own_handler(mt5: Product) -> None:
    """There the timer looks at the socket every time, and not once in 100 ms only; and leaves it
    to the events again where they come by.
    """
    main = running_ea(mt5)
    client = await mt5.http()
    await main.terminal.quirk(**{**PLAIN, "chart_policy": 2})
    async with asyncio.timeout(TIMEOUT_S):
        while await idle_timers(main, client) > 0:
            pass
        assert await idle_timers(main, client) == 0
        await main.terminal.quirk(**PLAIN)
        while await idle_timers(main, client) < 0.5:
            pass
    await mt5.close_clients()


async def test_a_terminal_whose_time_outs_end_the_link(mt5: Product) -> None:
    """After three links that did not live the EA waits in no read any more, and keeps the next.

    When that has ended, too, one more shows that nothing has changed.
    """
    main = running_ea(mt5)
    await main.terminal.quirk(**PLAIN)
    await main.terminal.quirk(read_error=3)
    client = await mt5.http()
    for most in (5, 2):
        before = main.wire.dialled
        await relinked(mt5, main)
        while not await keeps_its_link(main, client):
            assert main.wire.dialled <= before + most
    await mt5.close_clients()


async def keeps_its_link(main: EaRunning, client: Client) -> bool:
    """Whether a hundred questions, with the waits between them, are answered over one link."""
    dialled = main.wire.dialled
    for _ in range(100):
        try:
            await client.call("get_account_info")
        except Refused:
            return False
    return main.wire.dialled == dialled


async def test_a_history_that_is_still_loading(mt5: Product) -> None:
    """Ticks that the terminal does not have yet come when it has: none is lost meanwhile."""
    main = running_ea(mt5)
    await main.terminal.quirk(**PLAIN)
    await main.terminal.quirk(ticks_lag=3)
    await relinked(mt5, main)
    client = await mt5.ws()
    await hears(client)
    await mt5.close_clients()


async def test_a_daemon_that_cannot_be_reached(mt5: Product) -> None:
    """A terminal whose dials fail for a while comes back by itself, without a crowd of sockets."""
    main = running_ea(mt5)
    await main.terminal.quirk(**PLAIN)
    await main.terminal.quirk(connect_refused=3)
    dialled = main.wire.dialled
    await relinked(mt5, main)
    assert main.wire.dialled == dialled + 1
    await (await mt5.http()).call("get_account_info")
    await mt5.close_clients()
