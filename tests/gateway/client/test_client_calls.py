"""Calls of the client, on both transports."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from aiohttp import web
from scripted_gateway import TOKEN, Failure, Hangup, ScriptedGateway, scripted_gateway

from gateway.client import (
    CallTimedOut,
    ConnectionLost,
    GatewayClient,
    GatewayError,
    NoAnswer,
    NotTheGateway,
    Unreachable,
)
from gateway.client.protocol import result_in
from gateway.errors import OrderUnresolved, Unauthorized


@pytest.fixture(params=["http", "ws"])
async def client(
    request: pytest.FixtureRequest, gateway: ScriptedGateway
) -> AsyncIterator[GatewayClient]:
    """A client of the scripted gateway, on either transport."""
    async with GatewayClient(gateway.url, TOKEN, transport=request.param) as opened:
        yield opened


async def test_call_returns_the_result(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """Params go by name, the result comes back as it is."""
    assert await client.call("echo", a=1, b=[None, "ü"]) == {"a": 1, "b": [None, "ü"]}
    assert gateway.asked == [("echo", {"a": 1, "b": [None, "ü"]})]


async def test_answers_find_their_calls(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """Many calls at a time each get their own answer, in whatever order they come."""
    release = asyncio.Event()

    async def slow(params: dict[str, int]) -> int:
        await release.wait()
        return params["n"]

    async def quick(params: dict[str, int]) -> int:
        release.set()
        return params["n"]

    gateway.replies |= {"slow": slow, "quick": quick}
    calls = [client.call("slow", n=n) for n in range(20)] + [client.call("quick", n=20)]
    assert await asyncio.gather(*calls) == list(range(21))


async def test_params_left_out_are_not_sent(
    client: GatewayClient, gateway: ScriptedGateway
) -> None:
    """A typed method sends what was given, so that the gateway's own defaults hold."""
    await client.get_ohlc("EURUSD", count=3)
    assert gateway.asked == [("get_ohlc", {"symbol": "EURUSD", "count": 3})]


async def test_none_is_sent_as_null(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """Null says something that silence does not."""
    await client.get_ohlc("EURUSD", terminal=None)
    assert gateway.asked[0][1]["terminal"] is None


async def test_from_goes_without_its_underscore(
    client: GatewayClient, gateway: ScriptedGateway
) -> None:
    """Python's keyword is only Python's problem; datetimes travel as ISO 8601."""
    await client.get_history_prices("EURUSD", datetime(2026, 3, 1, tzinfo=UTC))
    assert gateway.asked[0][1] == {"symbol": "EURUSD", "from": "2026-03-01T00:00:00+00:00"}


async def test_decimals_travel_exactly(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """A decimal becomes a string, digit by digit; never a float."""
    await client.call("echo", volume=Decimal("0.10"))
    assert gateway.asked[0][1] == {"volume": "0.10"}


async def test_an_error_becomes_its_class(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """The exception has the code, name, numbers and outcome of the answer."""
    gateway.reply("place_order", OrderUnresolved(outcome="unknown", check_after_ms=2000))
    with pytest.raises(OrderUnresolved) as caught:
        await client.call("place_order")
    assert caught.value.code == 2102
    assert caught.value.name() == "order_unresolved"
    assert caught.value.outcome == "unknown"
    assert caught.value.data["check_after_ms"] == 2000
    assert not caught.value.retryable


async def test_an_unknown_error_keeps_its_name(
    client: GatewayClient, gateway: ScriptedGateway
) -> None:
    """An error of a newer gateway is still a GatewayError, with its own code and name."""

    data = {"name": "quota_spent", "retryable": True, "left": 0}
    gateway.reply("echo", Failure({"code": 2999, "message": "Later", "data": data}))
    with pytest.raises(GatewayError, match="Later") as caught:
        await client.call("echo")
    assert (caught.value.code, caught.value.name()) == (2999, "quota_spent")
    assert caught.value.retryable
    assert caught.value.data == {"left": 0}


@pytest.mark.parametrize("error", [{}, {"code": "x", "data": [1]}, {"data": {"name": "A b"}}])
async def test_a_broken_error_is_an_error(
    gateway: ScriptedGateway, error: dict[str, object]
) -> None:
    """Whatever the error object lacks, on a WebSocket the call fails as one that was answered."""
    gateway.reply("echo", Failure(error))
    async with GatewayClient(gateway.url, TOKEN, transport="ws") as client:
        with pytest.raises(GatewayError) as caught:
            await client.call("echo")
    assert caught.value.name() == "unlisted_error"


@pytest.mark.parametrize(
    "body",
    [
        {"error": "upstream timed out"},
        {"error": {"message": "bad gateway", "status": 502}},
        {"error": {"code": 502, "message": "bad gateway"}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": "x"}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": True}},
        {"jsonrpc": "2.0", "id": 1},
        {"result": {}},
        None,
    ],
)
def test_an_error_of_a_proxy_is_no_answer(body: object) -> None:
    """The order may have got through before the proxy gave up: its outcome is not known."""
    with pytest.raises(NotTheGateway, match="502") as caught:
        result_in(orjson.dumps(body), "http://127.0.0.1:1/rpc", 502, "unknown")
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, -math.inf], Decimal("NaN")])
async def test_what_is_no_number_is_not_sent(
    client: GatewayClient, gateway: ScriptedGateway, value: object
) -> None:
    """NaN would travel as null, which to a stop loss means none."""
    with pytest.raises(ValueError, match="sl is"):
        await client.call("place_order", sl=value)
    assert gateway.asked == []


async def test_a_trade_is_never_sent_twice(
    client: GatewayClient, gateway: ScriptedGateway
) -> None:
    """The connection breaks while an order is out: it may have been executed, and is not sent
    again; the exception says so."""
    gateway.reply("place_order", Hangup())
    with pytest.raises(ConnectionLost) as caught:
        await client.call("place_order", symbol="EURUSD", client_order_id="mine-1")
    assert caught.value.outcome == "unknown"
    assert caught.value.client_order_id == "mine-1"
    assert gateway.count("place_order") == 1


async def test_a_read_is_asked_again_once(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """Reading twice is harmless: one broken connection is not worth an error."""
    gateway.reply("get_symbols", Hangup(), ["EURUSD"])
    assert await client.get_symbols() == ["EURUSD"]
    gateway.reply("get_symbols", Hangup(), Hangup(), ["EURUSD"])
    with pytest.raises(ConnectionLost) as caught:
        await client.get_symbols()
    assert caught.value.outcome is None


async def test_no_answer_in_time(gateway: ScriptedGateway) -> None:
    """A call ends after ``timeout_s``; what became of a trade is unknown then."""

    async def never(_: object) -> None:
        await asyncio.Event().wait()

    gateway.replies["close_position"] = never
    gateway.reply("get_account_info", {}, {})
    for transport in ("http", "ws"):
        async with GatewayClient(gateway.url, TOKEN, transport=transport) as client:
            # what ends while it still connects was not sent
            await client.call("get_account_info")
            client._timeout_s = 0.05
            with pytest.raises(CallTimedOut) as caught:
                await client.call("close_position")
            assert caught.value.outcome == "unknown"


async def test_nobody_there(unused_tcp_port: int) -> None:
    """Without a gateway nothing was sent, and the error says where it looked."""
    for transport in ("http", "ws"):
        url = f"http://127.0.0.1:{unused_tcp_port}"
        async with GatewayClient(url, TOKEN, transport=transport) as client:
            with pytest.raises(Unreachable, match=url) as caught:
                await client.call("place_order")
            assert caught.value.outcome == "not_sent"
            assert caught.value.retryable


async def test_something_else_there(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """Another program on the port is recognised."""
    gateway.refuse = lambda: web.Response(text="<html>It works!</html>", status=404)
    with pytest.raises(NotTheGateway, match="404"):
        await client.call("echo")


async def test_a_page_of_a_proxy_leaves_a_trade_open(gateway: ScriptedGateway) -> None:
    """The order may have got through before the proxy gave up waiting for its answer."""
    gateway.refuse = lambda: web.Response(text="<html>Gateway Timeout</html>", status=504)
    async with GatewayClient(gateway.url, TOKEN, transport="http") as client:
        with pytest.raises(NotTheGateway) as caught:
            await client.call("place_order")
    assert caught.value.outcome == "unknown"


async def test_a_wrong_token_is_refused(gateway: ScriptedGateway) -> None:
    """The refusal has its reason, on both transports."""
    for transport in ("http", "ws"):
        async with GatewayClient(gateway.url, "mgt_wrong", transport=transport) as client:
            with pytest.raises(Unauthorized) as caught:
                await client.call("echo")
            assert caught.value.data["reason"] == "unknown"


async def test_ws_connects_again_with_the_next_call(gateway: ScriptedGateway) -> None:
    """A lost connection costs the calls under way, not those that follow."""
    async with GatewayClient(gateway.url, TOKEN, transport="ws") as client:
        await client.call("echo")
        await gateway.close_sockets()
        assert await client.get_symbols() == {}
        gateway.cut_sockets()
        assert await client.get_symbols() == {}


async def test_the_token_stays_out_of_sight(
    client: GatewayClient, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a repr, nor a log at any level, nor a traceback shows the token."""
    caplog.set_level(logging.DEBUG)
    gateway.reply("echo", Hangup(), 1)
    with pytest.raises(NoAnswer) as caught:
        await client.call("echo")
    await client.call("echo")
    told = "".join(traceback.format_exception(caught.value)) + repr(client) + caplog.text
    assert "mgt_" not in told
    assert gateway.headers[-1]["Authorization"] == f"Bearer {TOKEN}"


async def test_redirects_are_not_followed(client: GatewayClient, gateway: ScriptedGateway) -> None:
    """A redirect would carry the token to where it does not belong."""
    async with scripted_gateway() as other:
        gateway.refuse = lambda: web.Response(status=307, headers={"Location": f"{other.url}/rpc"})
        with pytest.raises(NotTheGateway):
            await client.call("echo")
        assert other.headers == []
