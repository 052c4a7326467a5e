"""The client without ``async``."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from scripted_gateway import TOKEN, ScriptedGateway

from gateway.client import GatewayClient, SyncGatewayClient
from gateway.client.sync_methods import SyncMethods
from gateway.errors import MarketClosed


async def test_calls_and_errors(gateway: ScriptedGateway) -> None:
    """Results and exceptions come through unchanged."""
    gateway.reply("get_symbols", ["EURUSD"], MarketClosed(opens_at=1))

    def work() -> None:
        with SyncGatewayClient(gateway.url, TOKEN) as client:
            assert client.get_symbols() == ["EURUSD"]
            with pytest.raises(MarketClosed) as caught:
                client.get_symbols()
            assert caught.value.data == {"opens_at": 1}

    await asyncio.to_thread(work)


async def test_several_threads_share_a_client(gateway: ScriptedGateway) -> None:
    """Each gets its own answers."""

    def work() -> list[dict[str, int]]:
        with (
            SyncGatewayClient(gateway.url, TOKEN, transport="ws") as client,
            ThreadPoolExecutor(4) as pool,
        ):
            return list(pool.map(lambda n: client.call("echo", n=n), range(40)))

    assert await asyncio.to_thread(work) == [{"n": n} for n in range(40)]


async def test_events(gateway: ScriptedGateway) -> None:
    """A subscription is a plain iterator; it ends when it is closed."""

    def work() -> list[str]:
        with SyncGatewayClient(gateway.url, TOKEN) as client:
            return [f"{event.channel} {event.seq}" for event in client.subscribe("orders")]

    listening = asyncio.ensure_future(asyncio.to_thread(work))
    await gateway.joined.get()
    await gateway.publish("orders")
    await gateway.publish("orders")
    await gateway.close_sockets(1000)
    assert await listening == ["orders 1", "orders 2"]


def test_its_thread_ends_with_it() -> None:
    """Closing twice is harmless; a closed client says so."""
    client = SyncGatewayClient("http://127.0.0.1:1", TOKEN)
    assert "gateway-client" in {thread.name for thread in threading.enumerate()}
    client.close()
    client.close()
    assert "gateway-client" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(RuntimeError, match="closed"):
        client.get_symbols()
    assert repr(client) == "<SyncGatewayClient http://127.0.0.1:1>"


def test_it_has_every_typed_method() -> None:
    """Names, params and documentation are those of the async client."""
    for name, method in inspect.getmembers(GatewayClient, inspect.iscoroutinefunction):
        if not name.startswith("_") and name not in ("call", "aclose"):
            twin = getattr(SyncMethods, name)
            assert twin.__doc__ == method.__doc__
            assert inspect.signature(twin) == inspect.signature(method)
