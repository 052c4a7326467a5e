"""Several clients who change the same thing at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from product import Client, Json, Product, Refused, product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-at-once")]

KINDS: dict[str, Json] = {"hedging": {}, "netting": {"netting": True}, "mt4": {"platform": "mt4"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Product]:
    """A terminal of each kind of account."""
    async with product(tmp_path_factory.mktemp("at-once"), **KINDS[request.param]) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def clients(running: Product) -> AsyncIterator[list[Client]]:
    """One at each door, twice; nothing open."""
    yield [await running.client(door) for door in ("/rpc", "/ws", "/rpc", "/ws")]
    await running.close_clients()


async def opened(client: Client) -> Json:
    """Buy 0.2 lots of EURUSD and return the position."""
    receipt = await client.call("place_order", symbol="EURUSD", side="buy", volume=0.2)
    (position,) = await client.call("get_positions", ticket=receipt["order"]["position"])
    found: Json = position
    return found


async def outcome(client: Client, method: str, **params: Any) -> str:
    """Call a method and name what came of it."""
    try:
        await client.call(method, **params)
    except Refused as refused:
        assert refused.data["outcome"] in ("not_sent", "rejected")
        return refused.name
    return "done"


async def test_a_position_is_closed_once(clients: list[Client]) -> None:
    """One caller closes it, the others find nothing, and no opposite position is opened."""
    position = await opened(clients[0])
    closing = (outcome(one, "close_position", ticket=position["ticket"]) for one in clients)
    assert sorted(await asyncio.gather(*closing)) == ["done"] + ["position_not_found"] * 3
    assert await clients[0].call("get_positions") == []


async def test_no_more_is_closed_than_is_open(clients: list[Client]) -> None:
    """Of four parts that are too much together, only those that fit are closed."""
    position = await opened(clients[0])
    ticket = position["ticket"]
    closing = (outcome(one, "close_position", ticket=ticket, volume=0.15) for one in clients)
    assert sorted(await asyncio.gather(*closing))[0] == "done"
    (left,) = await clients[0].call("get_positions")
    assert (left["type"], left["volume"]) == ("buy", 0.05)
    await clients[0].call("close_position", ticket=left["ticket"])


async def test_stops_do_not_undo_one_another(clients: list[Client]) -> None:
    """Who moves the take profit keeps the stop loss that another has just set."""
    position = await opened(clients[0])
    ticket, price = position["ticket"], position["price_open"]
    sl, tp = round(price - 0.01, 5), round(price + 0.01, 5)
    changes = ({"sl": sl}, {"tp": tp})
    changing = (
        outcome(client, "modify_order", ticket=ticket, **change)
        for client, change in zip(clients, changes, strict=False)
    )
    assert await asyncio.gather(*changing) == ["done", "done"]
    (changed,) = await clients[0].call("get_positions", ticket=ticket)
    assert (changed["sl"], changed["tp"]) == (sl, tp)
    await clients[0].call("close_position", ticket=ticket)


async def test_an_order_is_cancelled_once(clients: list[Client]) -> None:
    """The others are told that it is not there."""
    receipt = await clients[0].call(
        "place_order", symbol="EURUSD", type="buy_limit", volume=0.1, price=0.9
    )
    ticket = receipt["order"]["order"]
    cancelling = (outcome(one, "cancel_order", ticket=ticket) for one in clients)
    assert sorted(await asyncio.gather(*cancelling)) == ["done"] + ["order_not_found"] * 3
