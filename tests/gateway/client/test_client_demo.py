"""The client against the real gateway and its emulated terminal."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest
from demo_process import Demo

from gateway.client import GatewayClient, SyncGatewayClient
from gateway.errors import SubscribeFailed, SymbolNotFound


@pytest.mark.parametrize("transport", ["http", "ws"])
async def test_a_trade_from_order_to_deal(demo: Demo, transport: Literal["http", "ws"]) -> None:
    """Place, see, change and close a position; its deals are in the history under its id."""
    async with GatewayClient(demo.url, demo.auth_token, transport=transport) as client:
        receipt = await client.place_order(
            symbol="EURUSD", side="buy", type="market", volume="0.10"
        )
        order = receipt["order"]
        assert order["state"] == "filled"
        assert order["position"] is not None
        assert order["client_order_id"].startswith("py-")
        mine = [p for p in await client.get_positions() if p["ticket"] == order["position"]]
        assert [(p["symbol"], p["type"], p["volume"]) for p in mine] == [("EURUSD", "buy", 0.1)]
        await client.close_position(ticket=order["position"])
        assert order["position"] not in {p["ticket"] for p in await client.get_positions()}


async def test_every_tick_in_order(demo: Demo) -> None:
    """``tick.all`` starts where the subscription says and leaves nothing out."""
    async with (
        GatewayClient(demo.url, demo.auth_token) as client,
        client.subscribe("tick.all:EURUSD") as events,
    ):
        seqs = [(await anext(events)).seq for _ in range(20)]
    assert seqs == list(range(seqs[0], seqs[0] + 20))


async def test_an_unknown_symbol_is_explained(demo: Demo) -> None:
    """A call and a subscription both say what may have been meant."""
    async with GatewayClient(demo.url, demo.auth_token) as client:
        with pytest.raises(SymbolNotFound) as caught:
            await client.get_symbol_info("EURUSDX")
        assert "EURUSD" in caught.value.data["did_you_mean"]
        with pytest.raises(SubscribeFailed) as failed:
            await anext(client.subscribe("tick:EURUSD", "tick:EURUSDX"))
        assert [one["channel"] for one in failed.value.data["failed"]] == ["tick:EURUSDX"]


def test_the_same_without_async(demo: Demo) -> None:
    """The synchronous client calls and listens."""
    with SyncGatewayClient(demo.url, demo.auth_token) as client:
        assert client.get_account_info()["currency"] == "USD"
        assert client.call("ping", t=7)["t"] == 7
        with client.subscribe("tick:EURUSD") as events:
            first, *rest = itertools.islice(events, 4)
    assert first.type == "snapshot"
    assert [event.type for event in rest] == ["update"] * 3
