"""A terminal that says much at once: clients that read get all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from product import Product, daemon, sawtooth

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Ticks

START_MS = 1_764_000_000_000
TICKS = 26_000
"""About as many as a line has room for."""


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    """A daemon, and a terminal whose market stands still."""
    made = build_terminal(start_ms=START_MS, tick_files=sawtooth(tmp_path))
    still = EmulatedTerminal(
        made._market,
        made._broker,
        made.platform,
        now_msc=lambda: START_MS,
        utc_s=lambda: START_MS // 1000,
    )
    async with daemon(tmp_path) as running:
        await running.link("main", still)
        yield running


async def test_a_long_line_of_ticks_costs_no_prompt_reader_its_connection(
    product: Product,
) -> None:
    """Each hears every one of them, in order."""
    clients = [await product.ws() for _ in range(2)]
    for client in clients:
        await client.call("subscribe", channels=["tick.all:EURUSD"])
    conversation = product.main.link._conversation
    assert conversation is not None
    [watch] = product.main.machine._watches.by_symbol.values()
    rows = [(watch.sym, START_MS + 1 + n, "1", "2", 0.0, 0, 6) for n in range(TICKS)]
    conversation.say(Ticks(d=rows))
    for client in clients:
        told = [(await client.event("tick.all:EURUSD"))["data"] for _ in range(TICKS)]
        assert [one["broker_time"] for one in told] == [row[1] for row in rows]
