"""An EA runs for days: nothing of it may grow, and nothing may be left open behind a link."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from linked_ea import Compile, FastTimers, LinkedEa, plain_config

from ea_bridge.commands import (
    ORDER_SEND,
    SYMBOLS_GET,
    TICKS_GET,
    WATCH,
    SymbolsParams,
    TicksParams,
    WatchParams,
)
from ea_bridge.errors import BridgeError
from ea_bridge.model import TradeAction, TradeRequest
from ea_bridge.session import TerminalSession
from ea_bridge.simulation.specs import load_specs

SPEED = 120
"""Of the clocks of the EA and of the daemon's link: a day in twelve minutes."""
DAY_S = 24 * 3600 / SPEED
ROUNDS, LONG_ROUNDS = 12, 720
"""Links, each of which is cut: one in two minutes."""
WARM = 6
"""Links after which everything has been used once."""
GROWTH = 2 * 2**20
SYMBOLS = 5
REFUSED = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.001, price=2.0)


def footprint(pid: int) -> tuple[int, int]:
    """Return a process's memory in bytes, without what is shared, and its open files."""
    process = Path("/proc", str(pid))
    fields = dict(
        line.split(":", 1) for line in (process / "smaps_rollup").read_text().splitlines()[1:]
    )
    kilobytes = int(fields["Private_Dirty"].split()[0])
    return kilobytes * 1024, len(list((process / "fd").iterdir()))


async def use(ea: LinkedEa) -> None:
    """Let the EA do a bit of everything that it does all day."""
    for name in list(load_specs())[:SYMBOLS]:
        await ea.ask(WATCH, WatchParams(symbol=name, ticks=True, bars="1,16385"))
    for _ in range(5):
        await ea.ask(SYMBOLS_GET, SymbolsParams())
        await ea.ask(TICKS_GET, TicksParams(symbol="EURUSD", count=1000))
        await ea.ask(ORDER_SEND, REFUSED)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells a footprint")
@pytest.mark.parametrize(
    "rounds",
    [ROUNDS, pytest.param(LONG_ROUNDS, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
async def test_links_that_come_and_go_leave_nothing_behind(
    rounds: int, tmp_path: Path, compile_ea: Compile, pytestconfig: pytest.Config
) -> None:
    """The long form is a day of the EA's clock: 720 links, ticks, questions, refused orders."""
    if pytestconfig.getoption("--sanitized"):
        pytest.skip("ASan keeps memory that was given back")
    config: dict[str, Any] = plain_config(tmp_path)
    config |= {"speed": SPEED, "max_ticks": 2000}
    seen: list[tuple[int, int]] = []
    live = asyncio.Event()

    def on_live(_: TerminalSession) -> None:
        live.set()

    ea = LinkedEa(
        compile_ea("mt5", optimize="1" if rounds == LONG_ROUNDS else "0"),
        config,
        on_live=on_live,
        timers=partial(FastTimers, speed=SPEED),
    )
    async with ea:
        await ea.terminal.do("generate", rate=500, count=10**9, symbols=SYMBOLS)
        for number in range(rounds):
            live.clear()
            began = asyncio.get_running_loop().time()
            # a busy machine is slow for such fast clocks: then the link has ended by itself
            with contextlib.suppress(BridgeError):
                await use(ea)
            if number >= WARM:
                seen.append(footprint(ea.terminal.pid))
            if rounds == LONG_ROUNDS:
                spent = asyncio.get_running_loop().time() - began
                await asyncio.sleep(max(0.0, DAY_S / rounds - spent))
            ea.wire.cut()
            await asyncio.wait_for(live.wait(), 60)
    assert len({files for _, files in seen}) <= 2  # the cut may not have been noticed yet
    assert seen[-1][1] <= seen[0][1] + 1
    assert seen[-1][0] < seen[0][0] + GROWTH, seen
    print(f"{rounds} links: {seen[0]} -> {seen[-1]} bytes and open files")
