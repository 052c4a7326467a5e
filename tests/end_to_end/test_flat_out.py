"""A recording read flat out, through processes of their own: all of it, in a moment."""

from __future__ import annotations

import asyncio
import random
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from demo_process import running_serve
from test_emulated_conditions import linked, token_of

from gateway.client import Event, GatewayClient

MINUTES = 240
TICKS = 40_000
FIRST_MSC = 1_546_300_800_000
MINUTE_MS = 60_000
Tick = tuple[int, int]


def recorded() -> list[Tick]:
    """Stamps and bids, many of one millisecond, some minutes fuller than others."""
    drawn = random.Random(4)  # noqa: S311 (the same at each run)
    stamps = sorted(
        FIRST_MSC + int(drawn.random() ** 2 * MINUTES * MINUTE_MS) for _ in range(TICKS)
    )
    bid, ticks = 114_000, []
    for stamp in stamps:
        bid += drawn.randrange(-3, 4)
        ticks.append((stamp - stamp % 10, bid))
    return ticks


def write(file: Path, ticks: list[Tick]) -> None:
    """A file of ticks."""
    lines = [f"{at},{bid / 1e5:.5f},{(bid + 8) / 1e5:.5f}" for at, bid in ticks]
    file.write_text("\n".join(["time_msc,bid,ask", *lines]) + "\n", encoding="ascii")


def bars_of(ticks: list[Tick]) -> list[tuple[int, ...]]:
    """The bars of a minute: when, open, high, low, close, ticks."""
    bars: list[tuple[int, ...]] = []
    for minute, group in groupby(ticks, lambda one: one[0] // MINUTE_MS):
        bids = [bid for _, bid in group]
        bars.append((minute, bids[0], max(bids), min(bids), bids[-1], len(bids)))
    return bars


def as_bar(event: Event) -> tuple[int, ...]:
    """A told bar in the same form, but for whole weeks."""
    data = event.data
    prices = [round(data[name] * 1e5) for name in ("open", "high", "low", "close")]
    minute = data["broker_time"] // MINUTE_MS
    return (minute % (7 * 1440), *prices, data["tick_volume"])


@pytest.mark.timeout(300)
async def test_every_closed_bar_is_told(tmp_path: Path) -> None:
    """From the first to the last but one, which never closes, as its ticks make it."""
    ticks = recorded()
    write(tmp_path / "EURUSD.csv", ticks)
    expected = [(bar[0] % (7 * 1440), *bar[1:]) for bar in bars_of(ticks)][:-1]
    closed = await heard(tmp_path, "bar.M1:EURUSD", len(expected))
    assert [as_bar(one) for one in closed] == expected


@pytest.mark.timeout(300)
async def test_every_tick_is_told(tmp_path: Path) -> None:
    """To who listens to each of them, without a hole."""
    ticks = recorded()
    write(tmp_path / "EURUSD.csv", ticks)
    told = await heard(tmp_path, "tick.all:EURUSD", len(ticks))
    assert [round(one.data["bid"] * 1e5) for one in told] == [bid for _, bid in ticks]
    assert all(after.seq == before.seq + 1 for before, after in pairwise(told))


async def heard(folder: Path, channel: str, count: int) -> list[Event]:
    """So many events of a channel, but for bars that are still forming."""
    with running_serve(folder) as ready:
        token = await asyncio.to_thread(token_of, folder)
        words = ["emulator", "--bridge", ready["bridge"], "--auth-token", token]
        words += ["--ticks", str(folder / "EURUSD.csv"), "--speed", "max"]
        told: list[Event] = []
        async with GatewayClient(ready["rpc"].removesuffix("/rpc"), token) as client:
            with linked(words):
                async for event in client.subscribe(channel):
                    assert event.type in ("snapshot", "update"), event
                    if event.type == "update" and event.data.get("closed", True):
                        told.append(event)
                    if len(told) == count:
                        break
        return told
