"""How long an EA takes to answer and to tell a tick.

Run as ``PYTHONPATH=tests python tests/mql/bench_ea.py [COUNT]``.

One run, on this machine, of the compiled EA in the simulated terminal and the daemon's bridge:
chained slices against a plain timer, and against a terminal that drops the events of the chain;
with and without the daemon's quick ACKs, as MetaTrader's sockets have Nagle's algorithm on.
*Ping* is a question (``clock_get``) there and back; *tick* is from the moment at which the broker
is told to quote until the daemon has the row. Both go on at the same time.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from ea_sources import INCLUDES, MAINS
from linked_ea import LinkedEa, plain_config
from mql_compiler import Build, compiled

from ea_bridge.commands import CLOCK_GET, WATCH, NoParams, WatchParams
from ea_bridge.protocol.messages import Event, Ticks
from ea_bridge.session import TerminalSession

COUNT = 1000
PAUSE_S = 0.007
TICK_S = 0.005
CASES = [
    ("mt5", "slices", "quick"),
    ("mt5", "slices", "delayed"),
    ("mt5", "dropped", "quick"),
    ("mt5", "timer", "quick"),
    ("mt5", "timer", "delayed"),
    ("mt4", "slices", "quick"),
    ("mt4", "timer", "quick"),
]


@contextmanager
def acknowledging(how: str) -> Iterator[None]:
    """Let the daemon's bridge acknowledge at once, as it does, or when its system likes."""
    if how == "quick":
        yield
    else:
        with patch("ea_bridge.sockets.set_quickack", lambda _: None):
            yield


def figures(times_s: list[float]) -> str:
    """Return the 50th, 90th and 99th percentile in milliseconds."""
    cuts = statistics.quantiles(times_s, n=100)
    return "  ".join(f"{cuts[at - 1] * 1000:7.2f}" for at in (50, 90, 99))


class Stopwatch:
    """Times of ticks, told from each other by their bids."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self._made: dict[str, float] = {}

    def event(self, session: TerminalSession, event: Event) -> None:
        """Take ticks."""
        now_s = time.perf_counter()
        if isinstance(event, Ticks):
            self.times_s += [
                now_s - self._made.pop(row[2]) for row in event.d if row[2] in self._made
            ]

    def start(self, bid: str) -> None:
        """Note when a quote is made."""
        self._made[bid] = time.perf_counter()


async def pings(ea: LinkedEa, count: int) -> list[float]:
    """Ask so many times, one after the other."""
    times_s = []
    for _ in range(count):
        began = time.perf_counter()
        await ea.ask(CLOCK_GET, NoParams())
        times_s.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_S)
    return times_s


async def quotes(ea: LinkedEa, watch: Stopwatch, count: int) -> None:
    """Let the broker quote so many times."""
    for number in range(count):
        bid = 1.0 + number % 10_000 / 1e5
        watch.start(f"{bid:.5f}")
        ea.terminal.tell(do="tick", symbol="EURUSD", bid=bid, ask=bid + 1e-4)
        await asyncio.sleep(TICK_S)
    await asyncio.sleep(0.2)


async def measure(platform: str, loop: str, acks: str, count: int) -> tuple[str, str]:
    """Return the figures of pings and of ticks."""
    build = Build(MAINS[platform], Path(tempfile.gettempdir()), INCLUDES[platform], optimize="1")
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, acknowledging(acks):
        config = plain_config(Path(folder))
        config["quirks"] = {"timer_ms": 15.6, "chart_policy": 2 if loop == "dropped" else 0}
        ea = LinkedEa(
            compiled(build),
            config,
            on_event=watch.event,
            is_direct=True,
            spare_cpu="true" if loop == "timer" else "false",
        )
        async with ea:
            await ea.ask(WATCH, WatchParams(symbol="EURUSD", ticks=True))
            asked, _ = await asyncio.gather(pings(ea, count), quotes(ea, watch, count))
    return figures(asked), figures(watch.times_s)


async def main() -> None:
    """Measure every case, and print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    print(f"{count} of each, in ms:  ping p50 p90 p99 | tick p50 p90 p99")
    for platform, loop, acks in CASES:
        asked, told = await measure(platform, loop, acks, count)
        print(f"{platform} {loop:7} {acks:7} ACKs  {asked} | {told}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
