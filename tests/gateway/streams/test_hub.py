"""Encode once, deliver once a loop turn, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
import pytest

from gateway.streams import StreamEvent
from gateway.streams.hub import MAX_PENDING_EVENTS, Hub, Topic
from gateway.streams.outbox import frame_payload, text_frame


class Mic:
    def __init__(self) -> None:
        self.turns: list[tuple[Sequence[StreamEvent], bytes]] = []
        self.ended: tuple[int, str] | None = None

    def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
        self.turns.append((events, joined))

    def end(self, code: int, reason: str) -> None:
        self.ended = (code, reason)

    @property
    def seqs(self) -> list[tuple[str, int]]:
        events = [event for turn, _ in self.turns for event in turn]
        params = [orjson.loads(event.payload)["params"] for event in events]
        return [(each["channel"], each["seq"]) for each in params]


def topic(name: str = "tick:EURUSD", *, latest: bool = True) -> Topic:
    return Topic("mt5-a", name, "e.1", latest=latest)


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (1023, b"\x81\x7e\x03\xff"),
        (1024, b"\x81\x7e\x04\x00"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_frames_have_the_shortest_header(size: int, header: bytes) -> None:
    """RFC 6455, 5.2: final, text, unmasked, the length in 7, 16 or 64 bits."""
    payload = b"x" * size
    assert text_frame(payload) == header + payload
    assert frame_payload(text_frame(payload)) == payload


async def test_all_listeners_of_a_topic_get_the_same_bytes() -> None:
    """An event is encoded once: the very same objects reach everybody."""
    hub, one = Hub(asyncio.get_running_loop()), topic()
    mics = [Mic() for _ in range(3)]
    for mic in mics:
        hub.listen(mic, [one])
    hub.publish(one, "{}", 1)
    await asyncio.sleep(0)
    first = mics[0].turns[0]
    for mic in mics[1:]:
        assert mic.turns[0][1] is first[1]
        assert mic.turns[0][0][0].frame is first[0][0].frame


async def test_listeners_with_other_topics_share_the_event() -> None:
    """Groups differ in what they join; the event itself is still the same."""
    hub, one, two = Hub(asyncio.get_running_loop()), topic(), topic("orders")
    narrow, wide = Mic(), Mic()
    hub.listen(narrow, [one])
    hub.listen(wide, [one, two])
    hub.publish(one, "{}", 1)
    hub.publish(two, "{}", 1)
    await asyncio.sleep(0)
    assert narrow.turns[0][0][0] is wide.turns[0][0][0]
    assert wide.seqs == [("tick:EURUSD", 1), ("orders", 1)]


async def test_events_of_a_loop_turn_are_delivered_together_in_order() -> None:
    """One delivery a turn, in the order of publication across topics."""
    hub, one, two = Hub(asyncio.get_running_loop()), topic(), topic("orders")
    mic = Mic()
    hub.listen(mic, [one, two])
    for each in (one, two, one, one, two):
        hub.publish(each, "{}", 1)
    assert mic.turns == []
    await asyncio.sleep(0)
    assert len(mic.turns) == 1
    assert [seq for _, seq in mic.seqs] == [1, 1, 2, 3, 2]


async def test_a_turn_with_very_many_events_is_delivered_in_parts() -> None:
    """What waits for the end of the turn is bounded."""
    hub, one, mic = Hub(asyncio.get_running_loop()), topic(), Mic()
    hub.listen(mic, [one])
    for _ in range(MAX_PENDING_EVENTS + 1):
        hub.publish(one, "{}", 1)
    assert [len(events) for events, _ in mic.turns] == [MAX_PENDING_EVENTS]
    await asyncio.sleep(0)
    assert mic.seqs[-1] == ("tick:EURUSD", MAX_PENDING_EVENTS + 1)


async def test_a_change_of_topics_divides_the_stream_exactly() -> None:
    """What was published before is heard with the old topics, what comes after with the new."""
    hub, one, two, mic = Hub(asyncio.get_running_loop()), topic(), topic("orders"), Mic()
    hub.listen(mic, [one])
    hub.publish(one, "{}", 1)
    hub.publish(two, "{}", 1)
    hub.listen(mic, [two])
    hub.publish(one, "{}", 1)
    hub.publish(two, "{}", 1)
    await asyncio.sleep(0)
    assert mic.seqs == [("tick:EURUSD", 1), ("orders", 2)]


async def test_a_topic_that_nobody_hears_counts_on() -> None:
    """Numbers are given at publication, heard or not."""
    hub, one, mic = Hub(asyncio.get_running_loop()), topic(), Mic()
    hub.publish(one, "{}", 1)
    hub.listen(mic, [one])
    hub.publish(one, "{}", 1)
    await asyncio.sleep(0)
    assert mic.seqs == [("tick:EURUSD", 2)]


async def test_a_listener_that_fails_does_not_cost_the_others_their_events(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It hears no more and is told to come back; everybody else goes on."""

    class Broken(Mic):
        def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
            super().deliver(events, joined)
            raise RuntimeError("broken")

    hub, one, broken, mic = Hub(asyncio.get_running_loop()), topic(), Broken(), Mic()
    hub.listen(broken, [one])
    hub.listen(mic, [one])
    for _ in range(2):
        hub.publish(one, "{}", 1)
        await asyncio.sleep(0)
    assert (len(broken.turns), len(mic.turns)) == (1, 2)
    assert broken.ended == (4004, "insufficient_state")
    assert "hears no more" in caplog.text


async def test_a_listener_that_leaves_while_others_are_served_hears_nothing() -> None:
    """A connection that is closed by another's delivery gets nothing any more."""
    hub, one, mic = Hub(asyncio.get_running_loop()), topic(), Mic()

    class Closer(Mic):
        def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
            hub.listen(mic, ())

    hub.listen(Closer(), [one])
    hub.listen(mic, [one])
    hub.publish(one, "{}", 1)
    await asyncio.sleep(0)
    assert mic.turns == []


async def test_names_are_escaped() -> None:
    """A symbol with quotes or backslashes makes valid JSON."""
    hub, odd, mic = Hub(asyncio.get_running_loop()), topic('tick:a"\\é'), Mic()
    hub.listen(mic, [odd])
    hub.publish(odd, "{}", 1)
    await asyncio.sleep(0)
    assert mic.seqs == [('tick:a"\\é', 1)]
