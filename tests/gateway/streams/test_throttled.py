"""What is done by the clock: paced topics and heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
import pytest
from stage import Ear

from gateway.streams import StreamEvent
from gateway.streams.context import Throttled
from gateway.streams.hub import Heartbeats, Hub, Topic


class Timer:
    def __init__(self, at: float, act: Callable[[], object]) -> None:
        self.at = at
        self.act: Callable[[], object] | None = act

    def cancel(self) -> None:
        self.act = None


class Driven:
    """A clock that is driven by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []
        self.soon: list[Callable[[], object]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], object]) -> object:
        self.soon.append(callback)
        return None

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(self.now + delay, callback)
        self.timers.append(timer)
        return timer

    def pending(self) -> list[Timer]:
        return [timer for timer in self.timers if timer.act is not None]

    def drive(self, until: float) -> None:
        while due := [t for t in self.pending() if t.at <= until + 1e-9]:
            timer = min(due, key=lambda t: t.at)
            self.now = max(self.now, timer.at)
            act, timer.act = timer.act, None
            if act is not None:
                act()
        self.now = until
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Mic:
    def __init__(self) -> None:
        self.heard: list[tuple[int, object]] = []

    def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
        for event in events:
            params = orjson.loads(event.payload)["params"]
            self.heard.append((params["seq"], params["data"]))

    def end(self, code: int, reason: str) -> None:
        raise AssertionError(code)


@pytest.fixture
def clock() -> Driven:
    return Driven()


@pytest.fixture
def hub(clock: Driven) -> Hub:
    return Hub(clock)


def test_at_most_one_event_an_interval_and_the_newest_wins(clock: Driven, hub: Hub) -> None:
    """The first comes at once; of what comes too soon only the newest, at the interval's end."""
    topic, mic = Topic("a", "tick.100ms:E", "e", latest=True), Mic()
    hub.listen(mic, [topic])
    paced = Throttled(topic, 100, hub, clock, lambda: 1)
    for n in range(1, 6):
        paced.offer(str(n), 1)
    clock.drive(0.05)
    assert mic.heard == [(1, 1)]
    clock.drive(0.1)
    assert mic.heard == [(1, 1), (2, 5)]
    paced.offer("6", 1)
    clock.drive(0.15)
    assert len(mic.heard) == 2
    clock.drive(0.2)
    assert mic.heard[-1] == (3, 6)
    clock.drive(5.0)
    paced.offer("7", 1)
    clock.drive(5.0)
    assert mic.heard[-1] == (4, 7)


def test_a_stopped_pace_leaves_no_timer(clock: Driven, hub: Hub) -> None:
    """Nothing is published after the last unsubscription."""
    topic, mic = Topic("a", "tick.100ms:E", "e", latest=True), Mic()
    hub.listen(mic, [topic])
    paced = Throttled(topic, 100, hub, clock, lambda: 1)
    paced.offer("1", 1)
    paced.offer("2", 1)
    paced.stop()
    clock.drive(1.0)
    assert mic.heard == [(1, 1)]
    assert clock.pending() == []


def test_heartbeats_come_after_silence_alone(clock: Driven, hub: Hub) -> None:
    """Any frame is a sign of life: only a connection that was sent nothing gets a heartbeat."""
    topic = Topic("a", "heartbeat", "e", latest=True)
    beats = Heartbeats(hub, clock, lambda: 77)
    quiet, busy = Ear(), Ear()
    beats.watch(quiet, topic)
    beats.watch(busy, topic)
    busy.last_sent = 14.0
    clock.drive(15.0)
    quiet.last_sent = 15.0
    assert [(e["seq"], e["data"]) for e in quiet.events] == [(1, {"time": 77})]
    assert busy.events == []
    clock.drive(29.0)
    assert [e["seq"] for e in busy.events] == [2]


def test_heartbeats_are_encoded_once(clock: Driven, hub: Hub) -> None:
    """Connections that are silent at the same time get the same bytes."""
    topic = Topic("a", "heartbeat", "e", latest=True)
    beats = Heartbeats(hub, clock, lambda: 77)
    ears = [Ear(), Ear()]
    for ear in ears:
        beats.watch(ear, topic)
    clock.drive(15.0)
    assert ears[0].frames[0] is ears[1].frames[0]


def test_without_listeners_there_is_no_timer(clock: Driven, hub: Hub) -> None:
    """The clock is left alone when nobody wants heartbeats, and after the end."""
    topic = Topic("a", "heartbeat", "e", latest=True)
    beats = Heartbeats(hub, clock, lambda: 77)
    ear = Ear()
    beats.watch(ear, topic)
    assert len(clock.pending()) == 1
    beats.stop(ear)
    assert clock.pending() == []
    beats.watch(ear, topic)
    beats.close()
    assert clock.pending() == []


def test_who_has_not_subscribed_is_told_as_well(clock: Driven, hub: Hub) -> None:
    """By a notification; one round serves all that are due soon, and one timer all."""
    beats = Heartbeats(hub, clock, lambda: 77)
    ears = [Ear() for _ in range(50)]
    for number, ear in enumerate(ears):
        ear.last_sent = number / 50
        beats.watch(ear, None)
    assert len(clock.pending()) == 1
    clock.drive(15.0)
    told = {"jsonrpc": "2.0", "method": "heartbeat", "params": {"time": 77}}
    assert [ear.notices for ear in ears] == [[told]] * 50
    assert not any(ear.events for ear in ears)


def test_a_shorter_wish_is_heeded_at_once(clock: Driven, hub: Hub) -> None:
    """A connection with a shorter heartbeat does not wait for the others' round."""
    topic = Topic("a", "heartbeat", "e", latest=True)
    beats = Heartbeats(hub, clock, lambda: 77)
    slow, fast = Ear(), Ear()
    fast.heartbeat_s = 1.0
    beats.watch(slow, topic)
    beats.watch(fast, topic)
    clock.drive(1.0)
    assert len(fast.events) == 1
    assert slow.events == []
