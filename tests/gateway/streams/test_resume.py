"""What is promised to those who come back with ``since``: all that was missed, or none of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage import Ear, Stage, turns

from ea_bridge import model
from ea_bridge.protocol import messages as m
from gateway.streams import hub
from gateway.streams.channels import ChannelRequest, Since, missed, parse_channel
from gateway.streams.hub import RingBounds, StreamPosition, Topic


def wanted(channel: str, since: tuple[str, int], *, snapshot: bool = True) -> ChannelRequest:
    at = Since(epoch=since[0], seq=since[1])
    return ChannelRequest(channel=channel, since=at, snapshot=snapshot)


async def tick(live: Stage, *stamps: int) -> None:
    live.terminal.tick("EURUSD", *stamps)
    live.terminal.pump()
    await turns()


def place(ear: Ear, channel: str) -> tuple[str, int]:
    """Where a connection is in a channel."""
    last = ear.of(channel)[-1]
    return last["epoch"], last["seq"]


def told(ear: Ear, channel: str) -> list[tuple[str, int]]:
    return [(event["type"], event["seq"]) for event in ear.of(channel)]


async def come_back(live: Stage, request: ChannelRequest) -> tuple[Ear, dict[str, Any]]:
    ear = live.ear(by_header=False)
    result = await live.subscribe(ear, request)
    await turns()
    return ear, dict(result["subscribed"][0])


@pytest.mark.parametrize("channel", ["tick:EURUSD", "tick.all:EURUSD"])
async def test_who_comes_back_gets_what_it_has_missed(live: Stage, channel: str) -> None:
    """All of it in order; then the stream goes on."""
    await live.subscribe(live.ear(by_header=False), channel)  # a channel ends with its last ear
    ear = live.ear(by_header=False)
    await live.subscribe(ear, channel)
    await tick(live, 1, 2)
    at = place(ear, channel)
    live.streams.detach(ear)
    await tick(live, 3, 4, 5)
    back, entry = await come_back(live, wanted(channel, at, snapshot=False))
    await tick(live, 6)
    assert (entry["recovered"], entry["reason"], entry["replayed"]) == (True, None, 3)
    assert entry["seq"] == at[1] + 3
    assert told(back, channel) == [("update", at[1] + n) for n in (1, 2, 3, 4)]


async def test_a_channel_of_a_symbol_ends_with_its_last_listener(live: Stage) -> None:
    """The terminal is told to stop, and the epoch is another one then."""
    ear = live.ear(by_header=False)
    await live.subscribe(ear, "tick:EURUSD")
    await tick(live, 1)
    at = place(ear, "tick:EURUSD")
    live.streams.detach(ear)
    await turns()
    assert live.terminal.watches[-1].ticks is False
    back, entry = await come_back(live, wanted("tick:EURUSD", at))
    assert (entry["recovered"], entry["reason"], entry["replayed"]) == (False, "epoch_changed", 0)
    await tick(live, 2)
    assert told(back, "tick:EURUSD")[0] == ("snapshot", entry["seq"])


async def test_more_than_is_kept_is_told_as_a_snapshot(
    live: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of it, and never a part."""
    monkeypatch.setattr(hub, "RING_BYTES", 1000)  # of three ticks
    ear, other = live.ear(by_header=False), live.ear(by_header=False)
    await live.subscribe(other, "tick:EURUSD")
    await live.subscribe(ear, "tick:EURUSD")
    await tick(live, 1)
    at = place(ear, "tick:EURUSD")
    live.streams.detach(ear)
    await tick(live, *range(2, 10))
    back, entry = await come_back(live, wanted("tick:EURUSD", at, snapshot=False))
    assert (entry["recovered"], entry["reason"], entry["replayed"]) == (False, "evicted", 0)
    assert told(back, "tick:EURUSD") == [("snapshot", entry["seq"])]


async def test_a_position_that_never_was_is_ahead(live: Stage, ear: Ear) -> None:
    """A number of tomorrow recovers nothing."""
    await live.subscribe(ear, "orders")
    epoch = live.streams.subscriptions(live.caller, ear)["subscriptions"][0]["epoch"]
    _, entry = await come_back(live, wanted("orders", (epoch, 10**9)))
    assert (entry["recovered"], entry["reason"]) == (False, "ahead")


async def test_orders_are_told_again_before_their_snapshot(live: Stage, ear: Ear) -> None:
    """Whoever counts changes misses none, whoever wants the state has it."""
    await live.subscribe(ear, "orders")
    at = (ear.of("orders")[-1]["epoch"], ear.of("orders")[-1]["seq"])
    live.streams.detach(ear)
    for number in (1, 2):
        order = model.Order(ticket=number, type=2, symbol="EURUSD")
        live.terminal.say(m.Trade(op="add", q=number, order=order))
    await turns()
    back, entry = await come_back(live, wanted("orders", at))
    assert entry["replayed"] == 2
    assert told(back, "orders") == [
        ("update", at[1] + 1),
        ("update", at[1] + 2),
        ("snapshot", at[1] + 2),
    ]


async def test_a_hole_in_a_channel_that_is_heard_is_mended(live: Stage, ear: Ear) -> None:
    """Behind the answer come all events from there on, those too that wait in the outbox, each
    once.
    """
    await live.subscribe(ear, "tick:EURUSD")
    await tick(live, 1)
    at = place(ear, "tick:EURUSD")
    ear.congested = True
    await tick(live, 2, 3)
    assert ear.outbox.messages == 2
    ear.clear()
    ear.congested = False
    result, begin = await live.subscribe(ear, wanted("tick:EURUSD", at, snapshot=False), hold=True)
    await tick(live, 4)
    assert ear.events == []
    begin()
    await tick(live, 5)
    assert ear.outbox.messages == 0
    entry = result["subscribed"][0]
    assert (entry["already"], entry["recovered"], entry["replayed"]) == (True, True, 2)
    assert told(ear, "tick:EURUSD") == [("update", at[1] + n) for n in (1, 2, 3, 4)]


async def test_ticks_that_nobody_hears_are_only_counted(live: Stage) -> None:
    """A flood for the gateway's own use makes no events; their number and the last are known."""
    release = live.streams.hold("mt5-a", parse_channel("tick:EURUSD"))
    await turns()
    before = live.streams.delivered
    await tick(live, *range(1, 200))
    ear = live.ear(by_header=False)
    result = await live.subscribe(ear, "tick:EURUSD")
    assert result["subscribed"][0]["seq"] == 199
    assert told(ear, "tick:EURUSD") == [("snapshot", 199)]
    assert live.streams.delivered == before + 1
    release()


@given(
    st.lists(st.integers(1, 400), max_size=60),
    st.integers(1, 12),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_a_ring_tells_all_or_nothing(sizes: list[int], most: int, since: int, until: int) -> None:
    """Whatever is dropped of it, by number or by age."""
    topic = Topic("t", "tick:X", "e.1", latest=True, ring=RingBounds(most, 1000))
    topic.start_keeping()
    for size in sizes:
        topic.seq += 1
        topic.keep(topic.encode("update", "1" * size, 0, latest=True), topic.seq * 50)
    at = StreamPosition("e.1", min(until, topic.seq))
    found = missed(topic, at, Since(epoch="e.1", seq=since))
    if isinstance(found, list):
        numbers = [int(event.payload.split(b'"seq":')[1].split(b",")[0]) for event in found]
        assert numbers == [*range(since + 1, at.seq + 1)]
    elif since <= at.seq:
        assert found == "evicted"
        assert topic.seq - since > min(most, 20)
