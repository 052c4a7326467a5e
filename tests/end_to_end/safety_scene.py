"""Orders and positions that a halt, a sweep or a timer is to take, and who hears of it."""

from __future__ import annotations

import pytest
from product import Client, Json, Product, WsClient

from ea_bridge.model.trade import MAX_LEASE_MS
from gateway.trading.kill_switch import service as kill_switch_service

FAR = {"EURUSD": 0.5, "BTCUSD": 100.0}
"""Where a limit order waits for ever."""


@pytest.fixture(autouse=True)
def patient_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy for some seconds is no dead gateway."""
    monkeypatch.setattr(kill_switch_service, "LEASE_MS", MAX_LEASE_MS)


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


async def listen(running: Product) -> WsClient:
    """Open a connection that hears of the kill switch."""
    listener = await running.ws()
    await listener.call("subscribe", channels=["terminal"])
    return listener


async def fired(listener: WsClient, cause: str) -> Json:
    """Wait for what the kill switch has done."""
    told = await listener.event("terminal", lambda one: one["data"].get("cause") == cause)
    data: Json = told["data"]
    return data
