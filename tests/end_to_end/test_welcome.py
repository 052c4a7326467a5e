"""What whoever signs in on ``/ws`` is told unasked: a welcome, and a sign of life in silence."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from product import Product, daemon, sawtooth

from ea_bridge.emulator.factory import build_terminal
from gateway.client import GatewayClient

START_MS = 1_764_000_000_000


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    """A daemon with a terminal."""
    async with daemon(tmp_path) as running:
        machine = build_terminal(start_ms=START_MS, tick_files=sawtooth(tmp_path))
        await running.link("main", machine)
        yield running


@asynccontextmanager
async def connected(
    product: Product, token: str = "", **options: Any
) -> AsyncIterator[websockets.ClientConnection]:
    """A client of nobody's making, which does not answer pings by heartbeats."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with websockets.connect(
        product.ready.ws or "", additional_headers=headers, **options
    ) as socket:
        yield socket


async def told(socket: websockets.ClientConnection) -> dict[str, Any]:
    """Return the next message."""
    async with asyncio.timeout(60):
        message: dict[str, Any] = json.loads(await socket.recv())
    return message


def hello(token: str = "", **params: Any) -> str:
    """Return the call."""
    given = {"auth_token": token, **params} if token else params
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "hello", "params": given})


async def test_the_first_message_is_a_welcome(product: Product) -> None:
    """With the gateway, the terminal and its account, what may be done, and how soon one hears
    again. The same by header and by subprotocol."""
    token = product.main.token
    login = (await (await product.http()).call("get_account_info"))["login"]
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    async with connected(product, token) as socket:
        welcome = await told(socket)
    async with connected(
        product, subprotocols=[websockets.Subprotocol("mtg.v1"), f"mtg.bearer.{encoded}"]
    ) as socket:
        again = await told(socket)
    assert (welcome["jsonrpc"], welcome["method"], "id" in welcome) == ("2.0", "welcome", False)
    params = welcome["params"]
    assert params["server"]["name"] == "mt-gateway"
    assert (params["terminal"]["id"], params["terminal"]["state"]) == ("main", "ready")
    assert params["terminal"]["login"] == params["account"]["login"] == login
    assert params["account"]["trade_mode"] == "demo"
    assert params["account"]["currency"] == "USD"
    assert params["scopes"]
    assert params["limits"]["max_websockets"] > 0
    assert params["heartbeat_ms"] == 15_000
    assert again["params"] | {"time": 0} == params | {"time": 0}


async def test_who_says_hello_is_answered_first(product: Product) -> None:
    """Programs that wait for their answer need not know of the welcome behind it."""
    async with connected(product) as socket:
        await socket.send(hello(product.main.token, heartbeat_ms=2000))
        answer, welcome = await told(socket), await told(socket)
    assert (answer["id"], answer["result"]["heartbeat_ms"]) == (7, 2000)
    assert (welcome["method"], welcome["params"]["heartbeat_ms"]) == ("welcome", 2000)


async def test_a_terminal_that_has_never_linked_has_no_account(product: Product) -> None:
    """That is null; the rest is there."""
    token = product.home.issuer.create("later")[0]
    async with connected(product, token) as socket:
        params = (await told(socket))["params"]
    assert params["account"] is None
    assert params["terminal"]["id"] == "later"
    assert params["terminal"]["state"] != "ready"


async def test_silence_is_broken_unasked(product: Product) -> None:
    """At the pace that ``hello`` asks for, and again; a subscriber of ``heartbeat`` gets its event
    in place of it."""
    async with connected(product, product.main.token) as socket:
        assert (await told(socket))["method"] == "welcome"
        await socket.send(hello(heartbeat_ms=1000))
        assert (await told(socket))["id"] == 7
        times: list[int] = []
        for _ in range(3):
            beat = await told(socket)
            assert (beat["method"], list(beat["params"])) == ("heartbeat", ["time"])
            times.append(beat["params"]["time"])
        # by the gateway's own stamps; without being asked it speaks every fifteen seconds
        assert 1600 < times[-1] - times[0] < 15_000
        params = {"channels": ["heartbeat"]}
        call = {"jsonrpc": "2.0", "id": 8, "method": "subscribe", "params": params}
        await socket.send(json.dumps(call))
        assert (await told(socket))["id"] == 8
        event = await told(socket)
        assert (event["method"], event["params"]["channel"]) == ("event", "heartbeat")


async def test_who_does_not_know_them_does_not_mind(product: Product) -> None:
    """Our own client goes on, over its calls and in its streams."""
    url = (product.ready.rpc or "").removesuffix("/rpc")
    async with GatewayClient(url, product.main.token, transport="ws") as client:
        await client.call("hello", heartbeat_ms=1000)
        assert (await client.get_account_info())["currency"] == "USD"
        await asyncio.sleep(1.3)  # a heartbeat comes, and nobody is told
        assert (await client.get_account_info())["currency"] == "USD"
        async for event in client.subscribe("account"):
            assert event.channel == "account"
            break
