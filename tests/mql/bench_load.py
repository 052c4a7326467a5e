"""What an EA asks of its terminal under load.

Run as ``PYTHONPATH=tests python tests/mql/bench_load.py [mt5|mt4]``.

One run, on this machine, of the compiled EA in the simulated terminal and the daemon's bridge.
*Ping* is a question (``clock_get``) there and back, in milliseconds. Calls are those of
MetaTrader's API, a second and a pass of the EA's loop (which asks ``TerminalInfoInteger`` for its
broker in each): unlike times they are the same on every machine, but a call in a real terminal
has another price.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_ea import figures, pings
from ea_sources import INCLUDES, MAINS
from linked_ea import LinkedEa, plain_config
from load_parts import past_orders, positions_of, symbols_of
from mql_compiler import Build, compiled

from ea_bridge.commands import TRAIL_SET, WATCH, WatchParams
from ea_bridge.model import TrailTerms

COUNT = 300
SECONDS = 3.0


async def measure(platform: str, title: str, config: dict[str, Any], **load: Any) -> None:
    """Print the figures of one case."""
    build = Build(MAINS[platform], Path(tempfile.gettempdir()), INCLUDES[platform], optimize="1")
    async with LinkedEa(compiled(build), config, is_direct=True) as ea:
        await ea.live()
        for symbol in load.get("watched", []):
            await ea.ask(WATCH, WatchParams(symbol=symbol, ticks=True))
        for ticket in load.get("trailed", []):
            await ea.ask(TRAIL_SET, TrailTerms(ticket=ticket, distance=300))
        asked = await pings(ea, COUNT)
        before, began = await ea.terminal.do("calls"), time.perf_counter()
        await asyncio.sleep(SECONDS)
        after, ended = await ea.terminal.do("calls"), time.perf_counter()
    made = {name: count - before.get(name, 0) for name, count in after.items()}
    rate = sum(made.values()) / (ended - began)
    most = sorted(made.items(), key=lambda one: -one[1])[:4]
    said = ", ".join(f"{name} {count / (ended - began):,.0f}" for name, count in most)
    print(f"{title:28} ping {figures(asked)} max {max(asked) * 1000:6.1f}", flush=True)
    print(f"{'':28} {rate:,.0f} calls/s: {said}", flush=True)


async def main() -> None:
    """Measure every case."""
    platform = sys.argv[1] if len(sys.argv) > 1 else "mt5"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in (10, 2000, 8000, 45_000):
            config = plain_config(folder / f"past-{count}")
            config |= {"books": past_orders(count), "deposit": 0}
            await measure(platform, f"{count} past orders", config)
        for count in (0, 20):
            config = plain_config(folder / f"trails-{count}")
            config |= {"books": positions_of(count), "deposit": 0}
            tickets = [one["ticket"] for one in config["books"]["positions"]]
            await measure(platform, f"{count} trails", config, trailed=tickets)
        for count in (1, 20, 200):
            config = plain_config(folder / f"watched-{count}")
            config["symbols"] = symbols_of(config["symbols"], count)
            names = [one["info"]["name"] for one in config["symbols"]]
            await measure(platform, f"{count} symbols watched", config, watched=names)


if __name__ == "__main__":
    asyncio.run(main())
