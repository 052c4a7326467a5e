"""Subscriptions: what survives a lost connection, and what is told of what did not."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from scripted_gateway import TOKEN, Failure, ScriptedGateway, scripted_gateway

from gateway.client import (
    Event,
    GatewayClient,
    NotTheGateway,
    StreamEnded,
    Subscription,
    Unreachable,
)
from gateway.client import subscription as retry
from gateway.errors import ShuttingDown, SubscribeFailed, Unauthorized


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_RETRY_S", 0.001)


async def started(gateway: ScriptedGateway, subscription: Subscription) -> asyncio.Task[Event]:
    """Take the first step of an iteration, until the subscription stands."""
    task = asyncio.ensure_future(anext(subscription))
    await gateway.joined.get()
    return task


async def test_events_come_as_they_are_sent(gateway: ScriptedGateway) -> None:
    """Each has its channel, place, type and data."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("tick:EURUSD", "orders")
        first = await started(gateway, events)
        await gateway.publish("tick:EURUSD", {"bid": 1.1}, type="snapshot", seq=0)
        await gateway.publish("orders", {"op": "add"})
        assert await first == Event(
            "tick:EURUSD", "demo", "boot.1", 0, "snapshot", 1_764_000_000_123, {"bid": 1.1}
        )
        assert (await anext(events)).data == {"op": "add"}
        assert events.positions == {"tick:EURUSD": ("boot.1", 0), "orders": ("boot.1", 1)}


async def test_frames_may_hold_several_events(gateway: ScriptedGateway) -> None:
    """A JSON array is a batch of notifications; strangers among them are passed over."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders")
        first = await started(gateway, events)
        params = {
            "channel": "orders",
            "terminal": "demo",
            "epoch": "boot.1",
            "seq": 1,
            "type": "update",
            "ts": 0,
            "data": 1,
            "later": True,
        }
        event = {"jsonrpc": "2.0", "method": "event", "params": params}
        news = {"jsonrpc": "2.0", "method": "weather", "params": {}}
        other = event | {"params": params | {"channel": "deals"}}
        await gateway.say([news, other, event])
        assert (await first).channel == "orders"


async def test_merged_updates_are_counted(gateway: ScriptedGateway) -> None:
    """On a ``latest`` channel a hole is the number of updates merged into this one."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("tick:EURUSD")
        first = await started(gateway, events)
        await gateway.publish("tick:EURUSD", skip=4)
        assert (await first).merged == 4


async def test_a_hole_on_a_lossless_channel_is_a_gap(gateway: ScriptedGateway) -> None:
    """It is told, with its bounds, before the event that shows it."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders")
        first = await started(gateway, events)
        await gateway.publish("orders", skip=2)
        gap = await first
        assert (gap.type, gap.data) == ("gap", {"from": 1, "to": 2, "reason": "missing"})
        assert (await anext(events)).type == "update"


async def test_another_epoch_is_a_gap(gateway: ScriptedGateway) -> None:
    """Numbers of different epochs can't be compared, so anything may be missing."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders")
        first = await started(gateway, events)
        gateway.epoch = "boot.2"
        await gateway.publish("orders")
        assert (await first).data["reason"] == "epoch_changed"
        await gateway.publish("orders")
        assert [(await anext(events)).type for _ in range(2)] == ["update", "update"]
        assert events.positions == {"orders": ("boot.2", 2)}


@pytest.mark.parametrize("code", [1001, 1006, 1011, 4000, 4002, 4499])
async def test_a_lost_connection_comes_back(gateway: ScriptedGateway, code: int) -> None:
    """It subscribes again from the last event, and says that it was away."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders", snapshot=False)
        first = await started(gateway, events)
        await gateway.publish("orders")
        await first
        gateway.recovered = True
        following = asyncio.ensure_future(anext(events))
        if code == 1006:
            gateway.cut_sockets()
        else:
            await gateway.close_sockets(code)
        back = await following
        assert (back.type, back.data["recovered"]) == ("reconnected", True)
        _, again = gateway.asked[-1]
        since = {"epoch": "boot.1", "seq": 1}
        assert again == {"channels": [{"channel": "orders", "snapshot": False, "since": since}]}
        await gateway.publish("orders")
        assert (await anext(events)).seq == 2


async def test_a_gateway_that_was_started_anew_goes_on(gateway: ScriptedGateway) -> None:
    """In an epoch of its own: that is no gap, where it says that all was recovered."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders", snapshot=False)
        first = await started(gateway, events)
        await gateway.publish("orders")
        await first
        gateway.recovered, gateway.epoch = True, "boot.2"
        following = asyncio.ensure_future(anext(events))
        await gateway.close_sockets(1001)
        assert (await following).type == "reconnected"
        assert events.positions == {"orders": ("boot.2", 1)}
        await gateway.publish("orders")
        event = await anext(events)
        assert (event.type, event.epoch, event.seq) == ("update", "boot.2", 2)


async def test_what_was_missed_is_admitted(gateway: ScriptedGateway) -> None:
    """Where the gateway cannot go on, the event says so, and no gap is made of it twice."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders")
        first = await started(gateway, events)
        await gateway.publish("orders")
        await first
        gateway.recovered, gateway.seqs["orders"] = False, 50
        following = asyncio.ensure_future(anext(events))
        await gateway.close_sockets(4000)
        told = (await following).data
        assert told == {"recovered": False, "reason": "evicted", "replayed": 0}
        await gateway.publish("orders", type="snapshot", seq=50)
        await gateway.publish("orders")
        assert [(await anext(events)).type for _ in range(2)] == ["snapshot", "update"]


async def test_after_a_miss_it_counts_from_there(gateway: ScriptedGateway) -> None:
    """The new place is the gateway's: what was admitted is no hole once more."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders", snapshot=False)
        first = await started(gateway, events)
        await gateway.publish("orders")
        await first
        gateway.recovered, gateway.seqs["orders"] = False, 50
        following = asyncio.ensure_future(anext(events))
        await gateway.close_sockets(4000)
        assert (await following).type == "reconnected"
        await gateway.publish("orders")
        update = await anext(events)
        assert (update.type, update.seq) == ("update", 51)


async def test_it_keeps_trying_while_the_gateway_is_away() -> None:
    """Nobody listens for a while, then the gateway is back on the same port."""
    async with scripted_gateway() as gateway:
        client = GatewayClient(gateway.url, TOKEN)
        events = client.subscribe("orders")
        first = await started(gateway, events)
        await gateway.publish("orders")
        await first
        following = asyncio.ensure_future(anext(events))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(following), 0.05)
    async with scripted_gateway(int(gateway.url.rpartition(":")[2])), client:
        assert (await following).type == "reconnected"


async def test_a_page_of_a_proxy_is_waited_out(gateway: ScriptedGateway) -> None:
    """The gateway behind it is started anew; only at the beginning it is another program."""
    gateway.refuse = lambda: web.Response(status=502, text="<html>Bad Gateway</html>")
    async with GatewayClient(gateway.url, TOKEN) as client:
        with pytest.raises(NotTheGateway):
            await anext(client.subscribe("orders"))
        gateway.refuse, refuse = None, gateway.refuse
        events = client.subscribe("orders")
        first = await started(gateway, events)
        while not gateway.refused.empty():
            gateway.refused.get_nowait()
        gateway.refuse = refuse
        await gateway.close_sockets(1001)
        await gateway.refused.get()
        gateway.refuse = None
        assert (await first).type == "reconnected"


async def test_it_waits_as_long_as_the_gateway_said(
    gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """``server_shutdown`` announces when the gateway will be back."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders")
        first = await started(gateway, events)
        params = {"reason": "update", "restart_in_ms": 300}
        await gateway.say({"jsonrpc": "2.0", "method": "server_shutdown", "params": params})
        await gateway.close_sockets(1001)
        assert (await first).type == "reconnected"
    assert "connecting again in 0.3 s: " in caplog.text


@pytest.mark.parametrize(("code", "kind"), [(4506, Unauthorized), (4501, Unauthorized)])
async def test_a_token_that_ended_ends_the_stream(
    gateway: ScriptedGateway, code: int, kind: type[Exception]
) -> None:
    """Nothing is tried again with a revoked token."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders")
        first = await started(gateway, events)
        await gateway.close_sockets(code)
        with pytest.raises(kind):
            await first
        with pytest.raises(StopAsyncIteration):
            await anext(events)
    assert gateway.count("subscribe") == 1


@pytest.mark.parametrize("code", [1003, 4502, 4503, 4504, 4505])
async def test_a_close_for_good_is_final(gateway: ScriptedGateway, code: int) -> None:
    """The code is told; nothing is tried again."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        first = await started(gateway, client.subscribe("orders"))
        await gateway.close_sockets(code)
        with pytest.raises(StreamEnded) as caught:
            await first
        assert caught.value.code == code
        assert not caught.value.retryable


async def test_a_normal_close_ends_the_iteration(gateway: ScriptedGateway) -> None:
    """1000 says that all is told."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        first = await started(gateway, client.subscribe("orders"))
        await gateway.close_sockets(1000)
        with pytest.raises(StopAsyncIteration):
            await first


async def test_closing_ends_an_iteration_under_way(gateway: ScriptedGateway) -> None:
    """The client's end is the end of its subscriptions, without an exception."""
    client = GatewayClient(gateway.url, TOKEN)
    first = await started(gateway, client.subscribe("orders"))
    await client.aclose()
    with pytest.raises(StopAsyncIteration):
        await first


async def test_nobody_there_at_first(unused_tcp_port: int) -> None:
    """The first connection is not tried for ever: the address may be wrong."""
    async with GatewayClient(f"http://127.0.0.1:{unused_tcp_port}", TOKEN) as client:
        with pytest.raises(Unreachable):
            await anext(client.subscribe("orders"))


async def test_a_channel_that_does_not_exist_is_refused(gateway: ScriptedGateway) -> None:
    """One wrong name among many is an error, not a silence."""
    failure = {"code": 3001, "name": "symbol_not_found", "message": "No", "did_you_mean": ["X"]}
    gateway.unknown["tick:NOPE"] = failure
    async with GatewayClient(gateway.url, TOKEN) as client:
        with pytest.raises(SubscribeFailed, match="tick:NOPE") as caught:
            await anext(client.subscribe("tick:EURUSD", "tick:NOPE"))
        assert caught.value.data["failed"][0]["did_you_mean"] == ["X"]


async def test_a_channel_that_is_gone_ends(gateway: ScriptedGateway) -> None:
    """After a reconnect the other channels go on, and this one says why it does not."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("tick:EURUSD", "orders")
        first = await started(gateway, events)
        gateway.unknown["tick:EURUSD"] = {"code": 3001, "name": "symbol_not_found"}
        await gateway.close_sockets(4002)
        end = await first
        assert (end.channel, end.type, end.data["code"]) == ("tick:EURUSD", "end", 3001)
        assert (await anext(events)).channel == "orders"
        assert list(events.positions) == ["orders"]


async def test_an_older_position_is_taken_up(gateway: ScriptedGateway) -> None:
    """``since`` goes on where another process stopped, and says whether that worked."""
    gateway.recovered = True
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders", "deals", since={"orders": ("boot.1", 7)})
        back = await anext(events)
        assert (back.channel, back.type) == ("orders", "reconnected")
        wanted = gateway.asked[0][1]["channels"]
        assert [one.get("since") for one in wanted] == [{"epoch": "boot.1", "seq": 7}, None]


async def test_refusals_that_pass_are_waited_out(gateway: ScriptedGateway) -> None:
    """A gateway that is going down is asked again; the first connection is not."""
    error = {"jsonrpc": "2.0", "id": None, "error": ShuttingDown().as_dict()}
    async with GatewayClient(gateway.url, TOKEN) as client:
        events = client.subscribe("orders")
        first = await started(gateway, events)
        gateway.refuse = lambda: web.json_response(error, status=503)
        await gateway.close_sockets(1001)
        for _ in range(3):
            await gateway.refused.get()
        gateway.refuse = None
        assert (await first).type == "reconnected"
        gateway.refuse = lambda: web.json_response(error, status=503)
        with pytest.raises(ShuttingDown):
            await anext(client.subscribe("orders"))


async def test_an_error_of_subscribe_is_raised(gateway: ScriptedGateway) -> None:
    """The whole request may fail too."""
    error = SubscribeFailed(failed=[]).as_dict()
    gateway.reply("subscribe", Failure(error))
    async with GatewayClient(gateway.url, TOKEN) as client:
        with pytest.raises(SubscribeFailed):
            await anext(client.subscribe("orders"))


async def test_no_channel_is_a_mistake(gateway: ScriptedGateway) -> None:
    """It would wait for nothing, for ever."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        with pytest.raises(ValueError, match="at least one"):
            client.subscribe()
