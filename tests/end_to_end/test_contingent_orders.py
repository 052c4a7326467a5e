"""Orders that hang on something else, over the real wire: the market, or one another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from product import Json, Product, Refused, WsClient, daemon, product, sawtooth

from ea_bridge.emulator.factory import build_terminal

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-trading")]

LOW, HIGH = 1.1, 1.103
"""Between these bids EURUSD rises and falls, once a second of ours."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """MetaTrader 5 in a market that meets soon whatever waits between LOW and HIGH."""
    folder = tmp_path_factory.mktemp("contingent")
    async with product(folder, speed=60.0, tick_files=sawtooth(folder, LOW, HIGH)) as running:
        yield running


async def move(client: WsClient, ticket: int, price: float) -> None:
    """Give an order another price; the market may be past it just now, and comes back."""
    while True:
        try:
            await client.call("modify_order", ticket=ticket, price=round(price, 5))
        except Refused as refused:
            assert refused.name == "invalid_price"
        else:
            return


async def buy_low(client: WsClient) -> int:
    """Buy where the market comes near LOW: the price can then rise by more than any distance of
    these tests. Return the position."""
    order = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": LOW - 0.01}
    ticket: int = (await client.call("place_order", **order))["order"]["order"]
    await move(client, ticket, LOW + 0.0005)
    position = (await client.change("positions", "add"))["ticket"]
    assert position == ticket
    return ticket


async def test_the_terminal_trails_a_stop(one: Product) -> None:
    """The stop follows the market by itself until the market comes back to it."""
    client = await one.ws()
    await client.call("subscribe", channels=["positions"])
    ticket = await buy_low(client)
    trail = await client.call("set_trailing_stop", ticket=ticket, distance=40, step=5)
    assert (trail["distance"], trail["runs_in"]) == (40, "terminal")
    stops = []
    while True:
        event = await client.event(
            "positions", lambda e: e["data"].get("position", {}).get("ticket") == ticket
        )
        told = event["data"]
        if told["op"] == "remove":
            break
        if told["position"]["sl"] is not None:
            stops.append(told["position"]["sl"])
    assert stops == sorted(set(stops))
    assert all(after - before > 0.000049 for before, after in pairwise(stops))
    assert await client.call("get_trailing_stops") == []
    past = await client.call("get_history_orders", kind="positions", position=ticket)
    [whole] = past["positions"]
    assert whole["reason"] == "sl"


async def linked_orders(client: WsClient) -> list[int]:
    """Place an order on each side of the market, out of its reach, and link the two."""
    tickets = []
    for kind, price in (("buy_limit", LOW - 0.01), ("sell_limit", HIGH + 0.01)):
        order = {"symbol": "EURUSD", "type": kind, "volume": 0.1, "price": round(price, 5)}
        tickets.append((await client.call("place_order", **order))["order"]["order"])
    await client.call("link_oco", tickets=tickets)
    return tickets


async def test_one_cancels_the_other(one: Product) -> None:
    """What the market meets takes the other one with it, and the channel tells of both."""
    client = await one.ws()
    await client.call("subscribe", channels=["orders"])
    tickets = await linked_orders(client)
    await move(client, tickets[0], LOW + 0.0002)
    told = [
        (await client.event("orders", lambda e: e["data"].get("op") == "remove"))["data"]
        for _ in tickets
    ]
    assert sorted(event["order"]["state"] for event in told) == ["canceled", "filled"]
    assert {event["order"]["ticket"] for event in told} == set(tickets)
    [link] = await _over(client)
    assert sorted(order["end"] for order in link["orders"]) == ["canceled", "filled"]


async def _over(client: WsClient) -> list[Json]:
    """Wait until the gateway has noted that the link is over."""
    while await client.call("get_oco_links"):
        pass
    links: list[Json] = await client.call("get_oco_links", past=5)
    return links


async def test_a_held_order_outlives_the_daemon(tmp_path: Path) -> None:
    """MetaTrader 4: placed with one daemon, triggered with the next, by ticks that nobody has
    subscribed to; the limit order takes its place, and the client sees both."""
    ticks = sawtooth(tmp_path, LOW, HIGH)
    machine = build_terminal(platform="mt4", speed=60.0, tick_files=ticks)
    async with daemon(tmp_path / "home") as first:
        running = await first.link("main", machine)
        client = await first.ws()
        order = {"symbol": "EURUSD", "type": "buy_stop_limit", "volume": 0.1}
        prices = {"price": 1.25, "stoplimit": LOW + 0.0005}
        far = await client.call("place_order", **order, **prices, client_order_id="a-1")
        ticket = far["order"]["order"]
        assert (far["order"]["emulated"], far["order"]["state"]) == (True, "placed")
    async with daemon(tmp_path / "home") as second:
        await second.link("main", machine, token=running.token)
        client = await second.ws()
        await client.call("subscribe", channels=["orders"])
        [held] = await _emulated(second)
        assert (held["ticket"], held["type"]) == (ticket, "buy_stop_limit")
        await move(client, ticket, HIGH - 0.0003)
        changed = await client.change("orders", "change", ticket=ticket)
        assert changed["emulated"] is True
        gone = await client.change("orders", "remove", ticket=ticket)
        limit = await client.change("orders", "add", ticket=gone["became"])
        assert (limit["type"], limit["emulated"]) == ("buy_limit", False)
        assert limit["price_open"] == round(LOW + 0.0005, 5)
        filled = await client.change("orders", "remove", ticket=gone["became"])
        assert filled["state"] == "filled"
        again = await client.call("place_order", **order, **prices, client_order_id="a-1")
        assert (again["duplicate"], again["order"]["order"]) == (True, ticket)
        assert await _emulated(second) == []


async def test_a_lost_connection_takes_what_its_held_order_became(tmp_path: Path) -> None:
    """The limit order, which the gateway has placed, is the program's as the held one was."""
    ticks = sawtooth(tmp_path, LOW, HIGH)
    machine = build_terminal(platform="mt4", speed=60.0, tick_files=ticks)
    async with daemon(tmp_path / "home") as running:
        token = (await running.link("main", machine)).token
        listener, program = await running.ws(token), await running.ws(token)
        await listener.call("subscribe", channels=["orders", "terminal"])
        await program.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
        order = {"symbol": "EURUSD", "type": "buy_stop_limit", "volume": 0.1}
        prices = {"price": 1.25, "stoplimit": LOW - 0.01}
        ticket = (await program.call("place_order", **order, **prices))["order"]["order"]
        machine.faults.rewrite_comment = 1
        await move(program, ticket, HIGH - 0.0003)
        limit = (await listener.change("orders", "remove", ticket=ticket))["became"]
        await program.close()
        event = await listener.event("terminal", lambda e: e["data"].get("cause") == "disconnect")
        assert event["data"]["cancelled"] == [limit]


async def _emulated(running: Product) -> list[Json]:
    client = await running.http()
    return [order for order in await client.call("get_orders") if order["emulated"]]
