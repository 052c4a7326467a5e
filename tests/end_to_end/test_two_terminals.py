"""Two terminals with two tokens, logged in to one and the same account: its limits are one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from product import Client, Product, Refused, daemon

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal

pytestmark = pytest.mark.xdist_group("e2e-limits")

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
FITTING = 7
FAR = 0.5


def twin(machine: EmulatedTerminal) -> EmulatedTerminal:
    """Return another terminal that is logged in to the same account."""
    return EmulatedTerminal(
        machine._market,
        machine._broker,
        machine.platform,
        now_msc=machine._now_msc,
        utc_s=machine._utc_s,
    )


@asynccontextmanager
async def twins(
    folder: Path, machine: EmulatedTerminal, **trading: Any
) -> AsyncIterator[tuple[Product, list[Client]]]:
    """Run a daemon with both; yield a client of each."""
    async with daemon(folder, trading=trading) as running:
        first = await running.link("first", machine)
        second = await running.link("second", twin(machine))
        yield running, [await running.http(one.token) for one in (first, second)]


async def attempt(client: Client, **params: object) -> str | None:
    """Place an order; return the rule that stopped it."""
    try:
        await client.call("place_order", **{**BUY, **params})
    except Refused as refused:
        assert refused.data["outcome"] == "not_sent"
        return str(refused.data.get("rule", refused.name))
    return None


async def test_their_orders_count_against_one_cap(tmp_path: Path) -> None:
    """At the same moment, too: the broker never has more than the limit, and gets all that
    fits.
    """
    machine = build_terminal()
    broker = machine.handler.broker
    lots = sum(one.volume for one in broker.positions())
    lots += sum(one.volume_current for one in broker.orders())
    there = len(broker.positions())
    async with twins(tmp_path, machine, max_open_lots=round(lots + 0.75, 2)) as (_, clients):
        answers = await asyncio.gather(*(attempt(clients[n % 2]) for n in range(40)))
        assert set(answers) <= {None, "max_open_lots", "terminal_busy"}
        while len(broker.positions()) < there + FITTING:  # so many were busy
            assert await attempt(clients[0]) is None
        assert len(broker.positions()) == there + FITTING
        assert [await attempt(one) for one in clients] == ["max_open_lots"] * 2


@pytest.mark.parametrize(
    ("rule", "trading"),
    [
        ("orders_per_second", {"orders_per_second": 0.001, "order_burst": 3}),
        ("max_orders_per_minute", {"max_orders_per_minute": 3}),
        ("max_orders_per_day", {"max_orders_per_day": 3}),
        ("max_identical_orders", {"max_identical_orders": 3}),
    ],
)
async def test_they_have_one_pace(tmp_path: Path, rule: str, trading: dict[str, float]) -> None:
    """Whichever of them the orders go through; a terminal with another account has its own."""
    async with twins(tmp_path, build_terminal(), **trading) as (running, clients):
        assert [await attempt(clients[n % 2]) for n in range(3)] == [None] * 3
        assert [await attempt(one) for one in clients] == [rule] * 2
        other = await running.link("other", build_terminal(seed=7))
        assert await attempt(await running.http(other.token)) is None


async def test_what_the_gateway_holds_for_one_counts_for_both(tmp_path: Path) -> None:
    """MetaTrader 4 has no stop-limit orders: no list of the other terminal shows them."""
    machine = build_terminal(platform="mt4")
    there = len(machine.handler.broker.orders())
    wait = {"type": "limit", "price": FAR}
    held = {"type": "stop_limit", "price": 2.0, "stoplimit": 1.9}
    async with twins(tmp_path, machine, max_pending_orders=there + 1) as (_, (first, second)):
        assert await attempt(first, **held) is None
        assert await attempt(second, **wait) == "max_pending_orders"
        (order,) = [
            one for one in await first.call("get_orders") if one["type"] == "buy_stop_limit"
        ]
        await first.call("cancel_order", ticket=order["ticket"])
        assert await attempt(second, **wait) is None


async def test_they_change_one_position_one_after_the_other(tmp_path: Path) -> None:
    """Both stops are sent with each change: who does not wait brings back what the other found."""
    machine = build_terminal()
    async with twins(tmp_path, machine) as (_, (first, second)):
        receipt = await first.call("place_order", **BUY)
        ticket = receipt["order"]["position"]
        await asyncio.gather(
            first.call("modify_order", ticket=ticket, sl=FAR),
            second.call("modify_order", ticket=ticket, tp=2.0),
        )
        (position,) = machine.handler.broker.positions(ticket=ticket)
        assert (position.sl, position.tp) == (FAR, 2.0)
