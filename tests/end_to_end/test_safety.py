"""What stops trading, with a real daemon and a terminal: halts, sweeps, and programs that fall
silent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from product import Client, Product, Refused, product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-safety")]

FAR = {"EURUSD": 0.5, "BTCUSD": 100.0}
"""Where a limit order waits for ever."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A hedging account."""
    async with product(tmp_path_factory.mktemp("safety")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def client(running: Product) -> AsyncIterator[Client]:
    """``/rpc``, on an account with nothing open."""
    client = await running.http()
    await client.call("set_trading_enabled", enabled=True)
    await client.call("cancel_all_orders")
    await client.call("close_all_positions")
    yield client
    await running.close_clients()


async def wait(client: Client, symbol: str = "EURUSD", side: str = "buy", magic: int = 0) -> int:
    """Place an order that is not met; return its ticket."""
    price = FAR[symbol] if side == "buy" else FAR[symbol] * 10_000
    receipt = await client.call(
        "place_order",
        symbol=symbol,
        side=side,
        type="limit",
        volume=0.01,
        price=price,
        magic=magic,
    )
    return int(receipt["order"]["order"])


async def enter(client: Client, symbol: str = "EURUSD", side: str = "buy", magic: int = 0) -> int:
    """Open a position; return its ticket."""
    receipt = await client.call("place_order", symbol=symbol, side=side, volume=0.01, magic=magic)
    return int(receipt["order"]["position"])


async def tickets(client: Client, method: str) -> set[int]:
    return {one["ticket"] for one in await client.call(method)}


async def test_a_sweep_takes_what_is_meant(client: Client) -> None:
    """By symbol, magic and side; the others stay."""
    kept = {await wait(client, magic=7), await wait(client, side="sell", magic=8)}
    gone = await wait(client, side="sell", magic=7)
    swept = await client.call("cancel_all_orders", symbol="EURUSD", magic=7, side="sell")
    assert swept == {"cancelled": [gone], "closed": [], "failed": [], "duplicate": False}
    assert await tickets(client, "get_orders") == kept
    long, short = await enter(client), await enter(client, side="sell")
    assert (await client.call("close_all_positions", side="buy"))["closed"] == [long]
    assert await tickets(client, "get_positions") == {short}


async def test_a_sweep_takes_all(client: Client) -> None:
    """More than are sent at once; each is named once, and nothing is left."""
    orders = {await wait(client) for _ in range(18)}
    positions = {await enter(client, side=side) for side in ("buy", "sell") for _ in range(2)}
    swept = await client.call("cancel_all_orders")
    assert sorted(swept["cancelled"]) == sorted(orders)
    assert await tickets(client, "get_orders") == set()
    assert await tickets(client, "get_positions") == positions
    swept = await client.call("close_all_positions")
    assert sorted(swept["closed"]) == sorted(positions)
    assert swept["failed"] == []
    assert await tickets(client, "get_positions") == set()
    assert (await client.call("close_all_positions"))["closed"] == []


async def test_what_may_be_gone_is_told_and_not_sent_again(
    running: Product, client: Client
) -> None:
    """A result that was lost: its position is in `failed`, unknown; the others are closed."""
    opened = {await enter(client) for _ in range(3)}
    running.main.machine.faults.cut_after_ack = 1
    swept = await client.call("close_all_positions")
    await running.live("main")
    unknown = [one for one in swept["failed"] if one["outcome"] == "unknown"]
    assert {one["name"] for one in unknown} <= {"order_unresolved"}
    assert unknown
    assert {one["ticket"] for one in swept["failed"]} | set(swept["closed"]) == opened


async def test_halted_one_still_gets_out(client: Client) -> None:
    """A halt stops what is new; sweeping goes on, unless the halt freezes all."""
    await wait(client)
    await enter(client)
    await client.call("set_trading_enabled", enabled=False)
    with pytest.raises(Refused) as refused:
        await enter(client)
    assert (refused.value.code, refused.value.data["outcome"]) == (2104, "not_sent")
    await client.call("set_trading_enabled", enabled=False, reductions=False)
    frozen = await client.call("close_all_positions")
    assert [one["name"] for one in frozen["failed"]] == ["kill_switch_active"]
    await client.call("set_trading_enabled", enabled=True)
    await client.call("set_trading_enabled", enabled=False)
    assert len((await client.call("cancel_all_orders"))["cancelled"]) == 1
    assert len((await client.call("close_all_positions"))["closed"]) == 1
