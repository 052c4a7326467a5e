"""An hour of ticks takes no more memory than the forty minutes before it did."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import running
from product import Json, WsClient, open_ws

MINUTE_MS = 60_000
GROWTH_PER_EVENT = 20
"""Bytes. Whatever were kept of each event would be more."""
PROC = Path("/proc")
Record = Callable[[str, object], None]
needs_proc = pytest.mark.skipif(not PROC.is_dir(), reason="memory is read from /proc")
CHANNELS = ["tick.all:EURUSD", "bar.M1:EURUSD", "book:EURUSD", "account", "pnl", "positions"]


class Hour:
    """Counts what a listener hears, and knows how much market time has passed."""

    def __init__(self, client: WsClient) -> None:
        self.events = 0
        self._begun_ms = 0
        self._now_ms = 0
        self._waiting: list[tuple[int, asyncio.Event]] = []
        client.on_event = self._count

    async def minute(self, number: int) -> None:
        """Wait until so many minutes have passed in the market."""
        reached = asyncio.Event()
        self._waiting.append((number * MINUTE_MS, reached))
        await reached.wait()

    def _count(self, event: Json) -> None:
        self.events += 1
        if event["channel"] != "tick.all:EURUSD":
            return
        self._now_ms = event["data"]["time"]
        self._begun_ms = self._begun_ms or self._now_ms
        for after_ms, reached in self._waiting:
            if self._now_ms - self._begun_ms >= after_ms:
                reached.set()


async def listen(client: WsClient) -> Hour:
    """Subscribe to everything: the ticks of all symbols, and all that is told of the account."""
    hour = Hour(client)
    symbols = await client.call("get_symbols")
    await client.call("place_order", symbol="EURUSD", side="buy", volume=0.01)
    ticks = [f"tick:{symbol}" for symbol in symbols]
    result = await client.call("subscribe", channels=[*CHANNELS, *ticks])
    assert result["failed"] == []
    return hour


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def grown(tmp_path: Path, speed: str) -> list[tuple[int, int]]:
    """Run the market for a hundred minutes; return by how much the daemon and its emulator have
    grown in each third of the last sixty, and how many events there were meanwhile.

    By the fortieth all has been used once, what is told to a console every 15 seconds included.
    """
    spans = list[tuple[int, int]]()
    home = str(tmp_path / "home")
    options = (
        "--port",
        "0",
        "--bridge-port",
        "0",
        "--console-port",
        "0",
        "--home",
        home,
        "--speed",
        speed,
    )
    with running(tmp_path / "log.txt", "demo", *options, kind=subprocess.Popen) as demo:
        client = await open_ws(demo.ready["ws"], demo.ready["auth_token"])
        hour = await listen(client)
        await hour.minute(40)
        before, early = resident(demo.process.pid), hour.events
        for minute in (60, 80, 100):
            await hour.minute(minute)
            now, events = resident(demo.process.pid), hour.events
            spans.append((now - before, events - early))
            before, early = now, events
        await client.close()
    assert "Traceback" not in demo.log.read_text()
    return spans


def is_kept(spans: list[tuple[int, int]]) -> bool:
    """Whether something is kept of each event: then all spans show it.

    One alone shows a listener on a busy machine that fell further behind than ever before: what
    waits for it has a bound.
    """
    return all(growth > GROWTH_PER_EVENT * events for growth, events in spans)


def test_what_is_kept_shows_in_every_span() -> None:
    """And nothing else counts."""
    assert is_kept([(210, 10), (201, 10), (2000, 10)])
    assert not is_kept([(5000, 10), (0, 10), (210, 10)])


@pytest.mark.timeout(600)
@needs_proc
async def test_an_hour_of_ticks(tmp_path: Path, record_testsuite_property: Record) -> None:
    """Between the fortieth and the hundredth minute nothing grows: not in the gateway, not in the
    emulator, with a listener that hears every tick of every symbol."""
    spans = await grown(tmp_path, "400")
    growth = sum(one for one, _ in spans)
    record_testsuite_property("growth of memory in an hour of ticks", f"{growth} bytes")
    assert sum(events for _, events in spans) > 20_000
    assert not is_kept(spans), spans


@pytest.mark.long
@pytest.mark.timeout(7200)
@needs_proc
async def test_an_hour_of_ticks_in_an_hour(tmp_path: Path) -> None:
    """The same in real time."""
    spans = await grown(tmp_path, "1")
    assert not is_kept(spans), spans
