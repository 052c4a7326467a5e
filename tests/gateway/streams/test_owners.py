"""Whose subscription it is: a connection's, or a token's for all its connections."""

from __future__ import annotations

import pytest
from stage import Caller, Ear, Stage, turns

from gateway.errors import Cancelled


def channels(stage: Stage, ear: Ear | None) -> dict[str, str]:
    entries = stage.streams.subscriptions(stage.caller, ear)["subscriptions"]
    return {entry["channel"]: entry["owner"] for entry in entries}


async def tick(stage: Stage, n: int) -> None:
    stage.terminal.tick("EURUSD", n)
    stage.terminal.pump()
    await turns()


async def test_a_tokens_subscription_goes_to_its_connections_by_header(live: Stage) -> None:
    """Made over /rpc: every /ws of the token that came by header, none that said hello."""
    by_header, by_hello, other = live.ear(), live.ear(by_header=False), live.ear(tid="other")
    await live.subscribe(None, "tick:EURUSD")
    await tick(live, 1)
    assert [e["channel"] for e in by_header.of("tick:EURUSD", "update")] == ["tick:EURUSD"]
    assert by_hello.events == other.events == []
    assert channels(live, by_header) == {"tick:EURUSD": "token"}
    assert channels(live, by_hello) == {}
    assert channels(live, None) == {"tick:EURUSD": "token"}


async def test_a_connection_that_comes_later_begins_with_a_snapshot(live: Stage) -> None:
    """The token's channels wait for it, with their state."""
    await live.subscribe(None, "tick:EURUSD", "orders")
    await tick(live, 1)
    late = live.ear()
    assert [(e["channel"], e["type"], e["seq"]) for e in late.events] == [
        ("tick:EURUSD", "snapshot", 1), ("orders", "snapshot", 0),
    ]  # fmt: skip
    await tick(live, 2)
    assert late.of("tick:EURUSD", "update")[0]["seq"] == 2


async def test_a_channel_of_both_comes_once(live: Stage, ear: Ear) -> None:
    """Subscribed by connection and token: one event, and no second snapshot."""
    await live.subscribe(ear, "tick:EURUSD")
    await tick(live, 1)
    await live.subscribe(None, "tick:EURUSD")
    await tick(live, 2)
    assert [e["seq"] for e in ear.of("tick:EURUSD")] == [1, 2]


async def test_ending_it_on_a_connection_leaves_it_to_the_others(live: Stage) -> None:
    """A connection silences the token's channel for itself alone; the token's goes on."""
    one, two = live.ear(), live.ear()
    await live.subscribe(None, "tick:EURUSD")
    result = live.streams.unsubscribe(live.caller, one, ["tick:EURUSD"])
    assert result["unsubscribed"] == ["tick:EURUSD"]
    await tick(live, 1)
    assert one.of("tick:EURUSD", "update") == []
    assert len(two.of("tick:EURUSD", "update")) == 1
    assert channels(live, one) == {}
    again = live.streams.unsubscribe(live.caller, one, ["tick:EURUSD"])
    assert again["not_subscribed"] == ["tick:EURUSD"]


async def test_ending_everything_on_a_connection_is_silence(live: Stage, ear: Ear) -> None:
    """``all`` ends its own channels and silences the token's."""
    await live.subscribe(None, "tick:EURUSD")
    await live.subscribe(ear, "tick:EURUSD", "tick:GBPUSD")
    result = live.streams.unsubscribe(live.caller, ear, None)
    assert sorted(result["unsubscribed"]) == ["tick:EURUSD", "tick:GBPUSD"]
    ear.clear()
    await tick(live, 1)
    assert ear.log == []


async def test_a_new_subscription_of_the_token_is_heard_by_all_again(live: Stage) -> None:
    """Silence lasts as long as the subscription that was silenced."""
    ear = live.ear()
    await live.subscribe(None, "tick:EURUSD")
    live.streams.unsubscribe(live.caller, ear, None)
    live.streams.unsubscribe(live.caller, None, ["tick:EURUSD"])
    await live.subscribe(None, "tick:EURUSD")
    await tick(live, 1)
    assert len(ear.of("tick:EURUSD", "update")) == 1


async def test_the_token_ends_its_channels_on_every_connection(live: Stage) -> None:
    """Unsubscribed over /rpc: nobody hears it, but whoever subscribed by himself."""
    one, own = live.ear(), live.ear()
    await live.subscribe(None, "tick:EURUSD")
    await live.subscribe(own, "tick:EURUSD")
    live.streams.unsubscribe(live.caller, None, None)
    await tick(live, 1)
    assert one.of("tick:EURUSD", "update") == []
    assert len(own.of("tick:EURUSD", "update")) == 1


async def test_a_tokens_subscription_outlives_its_connections(live: Stage) -> None:
    """A connection takes what is its own with it, and leaves what is the token's."""
    ear = live.ear()
    await live.subscribe(None, "tick:EURUSD")
    await live.subscribe(ear, "tick:GBPUSD")
    live.streams.detach(ear)
    live.streams.detach(ear)
    await turns()
    assert channels(live, None) == {"tick:EURUSD": "token"}
    last = {watch.symbol: watch.ticks for watch in live.terminal.watches}
    assert last == {"EURUSD": True, "GBPUSD": False}


async def test_a_revoked_token_hears_nothing_more(live: Stage) -> None:
    """All its connections are closed with the code, and what it owned is gone."""
    one, two, other = live.ear(), live.ear(by_header=False), live.ear(tid="other")
    await live.subscribe(None, "tick:EURUSD")
    await live.subscribe(two, "tick:EURUSD")
    live.streams.end_token(live.caller.tid, 4506, "device_revoked")
    assert one.ended == two.ended == (4506, "device_revoked")
    assert other.ended is None
    await tick(live, 1)
    assert len(one.events) + len(two.events) == 0
    assert live.terminal.watches[-1].ticks is False
    assert channels(live, None) == {}


async def test_a_closed_connection_can_subscribe_to_nothing(live: Stage, ear: Ear) -> None:
    """A call that outlives its connection is cancelled and leaves no owner behind."""
    live.streams.detach(ear)
    with pytest.raises(Cancelled):
        await live.subscribe(ear, "tick:EURUSD")
    with pytest.raises(Cancelled):
        live.streams.unsubscribe(live.caller, ear, None)
    assert live.streams.subscriptions(live.caller, ear) == {"subscriptions": []}


async def test_terminals_are_apart(live: Stage) -> None:
    """A token of another terminal hears nothing of this one."""
    stranger = Caller(tid="stranger", terminal="mt5-b")
    ear = live.ear(tid="stranger")
    result, begin = await live.streams.subscribe(stranger, ear, ["tick:EURUSD", "orders"])
    begin()
    assert [entry["live"] for entry in result["subscribed"]] == [False, False]
    await live.subscribe(None, "tick:EURUSD")
    await tick(live, 1)
    assert ear.events == []


async def test_an_answer_that_was_never_queued_is_made_good_by_the_next(live: Stage) -> None:
    """Over /rpc the client may be gone before its answer: subscribing again begins the channel."""
    ear = live.ear()
    await live.subscribe(None, "tick:EURUSD", hold=True)
    result = await live.subscribe(None, "tick:EURUSD")
    assert result["subscribed"][0]["already"] is True
    await tick(live, 1)
    assert len(ear.of("tick:EURUSD", "update")) == 1
