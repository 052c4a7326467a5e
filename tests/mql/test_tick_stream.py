"""No tick is lost and none comes twice, whatever happens to the link, the daemon, the terminal.

The simulated terminal numbers each symbol's ticks in their volume. Here the cursors are kept as
:class:`gateway.streams.ticks.TickStream` keeps them, and given back with each new ``watch``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from linked_ea import Compile, LinkedEa, plain_config

from ea_bridge.commands import WATCH, WatchParams
from ea_bridge.protocol.messages import Event, Ticks
from ea_bridge.session import TerminalSession
from ea_bridge.simulation.specs import load_specs

SYMBOLS = 20
RATE = 20_000
SHORT, LONG = 60_000, 1_000_000
LONG_S = 900.0


class Follower:
    """Watches every symbol and checks that each tick is the next."""

    def __init__(self, names: list[str], total: int) -> None:
        self.names = names
        self.had = dict.fromkeys(names, 0)
        self.wrong: list[tuple[str, int, int]] = []
        self.cursors = dict.fromkeys(names, (1, 0))
        self.count = 0
        self.links = 0
        self.complete = asyncio.Event()
        self._total = total
        self._milestones: list[tuple[int, asyncio.Event]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def event(self, session: TerminalSession, event: Event) -> None:
        """Take ticks."""
        if not isinstance(event, Ticks):
            return
        for sym, time_msc, _, _, _, volume, _ in event.d:
            if volume:  # the quotes from before are not numbered
                self._take(session.symbol_of(sym), time_msc, volume)
        for at, reached in self._milestones:
            if self.count >= at:
                reached.set()
        if self.count >= self._total:
            self.complete.set()

    def _take(self, name: str, time_msc: int, number: int) -> None:
        if number != self.had[name] + 1:
            self.wrong.append((name, self.had[name], number))
        self.had[name] = number
        self.count += 1
        last_msc, same = self.cursors[name]
        self.cursors[name] = (time_msc, same + 1 if time_msc == last_msc else 1)

    def live(self, session: TerminalSession) -> None:
        """Watch again, from where each symbol stands."""
        self.links += 1
        task = asyncio.create_task(self._watch(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, session: TerminalSession) -> None:
        for name in self.names:
            if session.end_reason:
                return
            last_msc, same = self.cursors[name]
            await session.request(
                WATCH, WatchParams(symbol=name, ticks=True, last_msc=last_msc, n_same_msc=same)
            )

    async def reach(self, share: float) -> None:
        """Wait until that share of all ticks has come."""
        reached = asyncio.Event()
        self._milestones.append((round(self._total * share), reached))
        await reached.wait()


async def troubled(ea: LinkedEa, follower: Follower) -> None:
    """Let everything happen that may happen, one after the other."""
    await follower.reach(0.1)
    ea.wire.cut()
    await follower.reach(0.25)
    await ea.terminal.quirk(stall_ms=500, ticks_lag=3)
    await follower.reach(0.4)
    await ea.restart_daemon()
    await follower.reach(0.55)
    ea.wire.cut()
    await follower.reach(0.65)
    ea.terminal.tell(do="restart")
    await follower.complete.wait()


@pytest.mark.parametrize(
    "total",
    [SHORT, pytest.param(LONG, marks=[pytest.mark.long, pytest.mark.timeout(LONG_S)])],
)
async def test_no_tick_is_lost_or_doubled_through_cuts_stalls_and_restarts(
    total: int, tmp_path: Path, compile_ea: Compile
) -> None:
    """20 symbols, 20,000 ticks a second; links that are cut, an EA that is held up for half a
    second, a history that cannot be read for a moment, a daemon that starts anew, a terminal that
    dies and starts anew.
    """
    names = list(load_specs())[:SYMBOLS]
    follower = Follower(names, total)
    program = compile_ea("mt5", optimize="1" if total == LONG else "0")
    config = plain_config(tmp_path)
    async with LinkedEa(program, config, on_event=follower.event, on_live=follower.live) as ea:
        await ea.live()
        await ea.terminal.do("generate", rate=RATE, count=total, symbols=SYMBOLS)
        async with asyncio.timeout(LONG_S):
            await troubled(ea, follower)
    assert follower.wrong == []
    assert sum(follower.had.values()) == total
    assert follower.links >= 5
