"""Hub: topics, the listeners of each, and one joined write a loop turn.

An event is encoded once, when it is published; every listener gets the same bytes. Listeners
with equal sets of topics form a *group*, which shares one joined buffer: publishing appends the
event to the groups of its topic, and one flush at the end of the loop turn hands each group's
buffer to its listeners. Nothing here waits for a client, and nothing is a task.

A topic whose events count one by one keeps the last of them, from its first listener on, so that
who comes back gets what it has missed (:meth:`Topic.after`).

A *heartbeat* is a sign of life for programs that cannot see WebSocket pings. Any frame is one, so
a heartbeat comes only after ``heartbeat_s`` of silence on that connection: unasked, as a
notification ``heartbeat``; to who has subscribed to the channel of that name, as its event. One
timer serves all.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import dropwhile, islice
from typing import NamedTuple, Protocol

import msgspec
import orjson

from .kept import KeptEvent, KeptTopic
from .outbox import Outbox, StreamEvent, notification, text_frame

LEAST_PAUSE_S = 0.25
"""Between two rounds of looking for silence."""
SOONER = 0.1
"""This part of its time sooner a heartbeat may come, so that one round serves many."""


class Heartbeats:
    """Timer that sends heartbeats to listeners that have heard nothing for long."""

    def __init__(self, hub: Hub, clock: Scheduler, now_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._clock = clock
        self._now_ms = now_ms
        self._topics: dict[Listener, Topic | None] = {}
        """Those that are watched; with the topic of those that have subscribed."""
        self._timer: Timer | None = None

    def watch(self, listener: Listener, topic: Topic | None) -> None:
        """Watch a connection's silence, at the pace it wants; ``topic``: it has subscribed."""
        self._topics[listener] = topic
        self._set_timer()

    def stop(self, listener: Listener) -> None:
        """Send this connection no more."""
        self._topics.pop(listener, None)
        if not self._topics:
            self.close()

    def close(self) -> None:
        """Cancel the timer."""
        self._topics.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = min(listener.last_sent + listener.heartbeat_s for listener in self._topics)
        pause = max(due - self._clock.time(), LEAST_PAUSE_S)
        self._timer = self._clock.call_later(pause, self._send_due)

    def _send_due(self) -> None:
        self._timer = None
        now, now_ms = self._clock.time(), self._now_ms()
        silent = [
            (listener, topic)
            for listener, topic in self._topics.items()
            if now - listener.last_sent >= listener.heartbeat_s * (1 - SOONER)
        ]
        notice = notification("heartbeat", {"time": now_ms})
        data = orjson.dumps({"time": now_ms}).decode()
        events: dict[Topic, StreamEvent] = {}
        for listener, topic in silent:
            if topic is None:
                listener.notify(notice)
                continue
            if topic not in events:
                topic.seq += 1
                events[topic] = topic.encode("update", data, now_ms, latest=True)
            self._hub.send(listener, (events[topic],))
        if self._topics:
            self._set_timer()


_log = logging.getLogger(__name__)

MAX_PENDING_EVENTS = 4096
"""Within one loop turn; more are delivered at once."""
MISSED = 4004
"""Close code ``insufficient_state``: the connection missed events; reconnect and resume."""


class Sink(Protocol):
    """Receiver of events from a hub."""

    def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
        """Take events that follow all earlier ones; must neither block nor raise.

        Args:
            events: in the order in which they were published.
            joined: their frames, concatenated; the same object for all listeners of a group.

        """

    def end(self, code: int, reason: str) -> None:
        """Close the connection: no event is delivered after this."""


class Listener(Sink, Protocol):
    """One authenticated WebSocket connection, as the streams see it.

    ``deliver`` writes ``joined`` after every answer that the connection has queued so far: the
    answer to ``subscribe`` precedes the subscription's first event.
    """

    tid: str
    """Public id of its token."""
    by_header: bool
    """Authenticated by the Authorization header, so it also hears what its token subscribed to
    over ``/rpc``."""
    coalesces: bool
    """It takes the events of one delivery in one frame; see :class:`~.outbox.Coalescer`."""
    outbox: Outbox
    """What waits for it while its transport is congested."""
    last_sent: float
    """When the last frame was handed to its transport, in the loop's time: ``loop.time()``."""
    heartbeat_s: float
    """Of silence after which it wants a heartbeat."""
    on_gone: list[Callable[[], None]]
    """Called when the connection is over, each once."""

    @property
    def is_gone(self) -> bool:
        """Whether it is over; calls that it began may go on."""

    def notify(self, text: bytes) -> None:
        """Send a notification of the gateway itself."""


class Scheduler(Protocol):
    """Part of an event loop that the streams use; every asyncio loop is one."""

    def time(self) -> float:
        """Seconds, never going back."""

    def call_soon(self, callback: Callable[[], object], /) -> object:
        """Call at the end of this loop turn."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer:
        """Call after ``delay`` seconds."""


class Timer(Protocol):
    """A call to come."""

    def cancel(self) -> None:
        """Do not call."""


class StreamPosition(NamedTuple):
    """Position in a channel: right behind the event of this number."""

    epoch: str
    seq: int


RING_BYTES = 1_048_576
"""Of the events that a topic keeps for those who come back."""


class RingBounds(NamedTuple):
    """Bounds of the events that a topic keeps; beside them :data:`RING_BYTES`."""

    events: int
    age_ms: int


MAX_EARLIER = 8
"""Gateways in a row whose epochs a topic knows."""


class _Told(msgspec.Struct):
    """Fields of a sent event, read back to store it for the next gateway."""

    type: str
    ts: int
    data: msgspec.Raw


class _ToldEvent(msgspec.Struct):
    params: _Told


class _Group:
    """Listeners with one set of topics; they get the same bytes."""

    __slots__ = ("pending", "sinks", "topics")

    def __init__(self, topics: frozenset[Topic]) -> None:
        self.topics = topics
        self.sinks: tuple[Sink, ...] = ()
        self.pending: list[StreamEvent] = []


class Topic:
    """One channel of one terminal: its sequence, and the groups that listen."""

    __slots__ = (
        "_bounds",
        "_head",
        "_ring",
        "_ring_bytes",
        "channel",
        "earlier",
        "epoch",
        "groups",
        "is_keeping",
        "key",
        "latest",
        "seq",
        "terminal",
    )

    def __init__(
        self,
        terminal: str,
        channel: str,
        epoch: str,
        *,
        latest: bool,
        ring: RingBounds | None = None,
    ) -> None:
        self.terminal = terminal
        self.channel = channel
        self.key = f"{terminal}/{channel}"
        self.latest = latest
        self.seq = 0
        """Of the last event; counted when it is published, heard or not."""
        self.groups: tuple[_Group, ...] = ()
        self.is_keeping = False
        """Its events are kept, whether somebody listens now or not."""
        self._bounds = ring
        self._ring: deque[tuple[int, StreamEvent]] = deque()
        self._ring_bytes = 0
        self.earlier: dict[str, int] = {}
        """Epochs of earlier gateways that this epoch continues, with their last ``seq``."""
        self.epoch = ""
        self._head = ""
        self.begin(epoch)

    @property
    def position(self) -> StreamPosition:
        """Position right behind the last event."""
        return StreamPosition(self.epoch, self.seq)

    @property
    def is_heard(self) -> bool:
        """Whether its events go anywhere; else they are only counted."""
        return bool(self.groups) or self.is_keeping

    def begin(self, epoch: str) -> None:
        """Start a new epoch: what comes does not continue what was."""
        self._clear_ring()
        self.earlier = {}
        self.epoch = epoch
        head = orjson.dumps({"channel": self.channel, "terminal": self.terminal, "epoch": epoch})
        self._head = f'{{"jsonrpc":"2.0","method":"event","params":{head[:-1].decode()},"seq":'

    def encode(self, kind: str, data: str, ts: int, *, latest: bool) -> StreamEvent:
        """Return an event with the present ``seq``; ``data`` is ready JSON."""
        text = f'{self._head}{self.seq},"type":"{kind}","ts":{ts},"data":{data}}}}}'
        return StreamEvent(self.key, latest, text_frame(text.encode()))

    def start_keeping(self) -> None:
        """Keep the events that come, where they count one by one."""
        self.is_keeping = self._bounds is not None

    def end(self) -> None:
        """Forget what was told: nobody goes on in a channel that the terminal does not have."""
        self.is_keeping = False
        self._clear_ring()

    def keep(self, event: StreamEvent, ts: int) -> None:
        """Keep the event of the present ``seq``, in the place of the oldest ones."""
        ring = self._ring
        ring.append((ts, event))
        self._ring_bytes += len(event.frame)
        assert self._bounds is not None
        most, age_ms = self._bounds
        while len(ring) > most or self._ring_bytes > RING_BYTES or ts - ring[0][0] > age_ms:
            self._ring_bytes -= len(ring.popleft()[1].frame)

    def after(self, seq: int, until: int) -> list[StreamEvent] | None:
        """Return the events behind number ``seq`` up to ``until``; ``None`` if one is gone."""
        # the last that is kept is number self.seq, and none between is missing
        first = len(self._ring) - (self.seq - seq)
        if first < 0:
            return None
        last = len(self._ring) - (self.seq - until)
        return [event for _, event in islice(self._ring, first, last)]

    def kept(self) -> KeptTopic:
        """Return what the topic of another gateway can go on from."""
        told = [
            msgspec.json.decode(event.payload, type=_ToldEvent).params for _, event in self._ring
        ]
        events = [KeptEvent(one.type, one.ts, one.data) for one in told]
        return KeptTopic(self.epoch, self.seq, events, self.earlier)

    def go_on_from(self, kept: KeptTopic, now_ms: int) -> None:
        """Go on, in this epoch, from where the topic of an earlier gateway has ended."""
        self.start_keeping()
        assert self._bounds is not None
        oldest_ms = now_ms - self._bounds.age_ms
        events = list(dropwhile(lambda event: event.ts < oldest_ms, kept.events))
        self.seq = kept.seq - len(events)
        for kind, ts, data in map(msgspec.structs.astuple, events):
            self.seq += 1
            self.keep(self.encode(kind, bytes(data).decode(), ts, latest=False), ts)
        known = [*kept.earlier.items(), (kept.epoch, kept.seq)]
        self.earlier = dict(known[-MAX_EARLIER:])

    def _clear_ring(self) -> None:
        self._ring.clear()
        self._ring_bytes = 0

    def snapshot(self, data: str, ts: int) -> StreamEvent:
        """Return the topic's state as an event; it is never merged away."""
        return self.encode("snapshot", data, ts, latest=False)


class Hub:
    """Hub that delivers what is published to the listeners of its topic.

    Args:
        clock: the running event loop.

    """

    def __init__(self, clock: Scheduler) -> None:
        self._clock = clock
        self._groups: dict[frozenset[Topic], _Group] = {}
        self._of: dict[Sink, _Group] = {}
        self._dirty: list[_Group] = []
        self._pending = 0
        self._scheduled = False
        self.delivered = 0
        """Events that were handed to listeners, each as often as there were listeners."""

    def publish(
        self, topic: Topic, data: str, ts: int, *, kind: str = "update", latest: bool | None = None
    ) -> None:
        """Count an event of ``topic`` and hand it to the topic's groups.

        Args:
            data: the event's ``data``, as JSON.
            ts: now, UTC milliseconds.
            kind: the event's ``type``.
            latest: if it differs from the topic's own delivery class.

        """
        topic.seq += 1
        if topic.groups or topic.is_keeping:
            conflatable = topic.latest if latest is None else latest
            event = topic.encode(kind, data, ts, latest=conflatable)
            if topic.is_keeping:
                topic.keep(event, ts)
            if topic.groups:
                self._append(topic, event)

    def republish(self, topic: Topic, data: str, ts: int) -> None:
        """Give everybody who listens a fresh snapshot; it takes no number of its own."""
        if topic.groups:
            self._append(topic, topic.snapshot(data, ts))

    def listen(self, sink: Sink, topics: Iterable[Topic]) -> None:
        """From now on, ``sink`` hears exactly ``topics``; what came before is delivered first."""
        self.flush()
        wanted = frozenset(topics)
        group = self._of.get(sink)
        if group is not None and group.topics == wanted:
            return
        if group is not None:
            self._leave(sink, group)
        if wanted:
            self._join(sink, wanted)

    def send(self, sink: Sink, events: Sequence[StreamEvent]) -> None:
        """Deliver events to one sink alone, after what is pending."""
        if events:
            self.flush()
            self.delivered += len(events)
            self._deliver(sink, events, b"".join([event.frame for event in events]))

    def hears(self, sink: Sink) -> frozenset[Topic]:
        """Return the topics that ``sink`` hears."""
        group = self._of.get(sink)
        return group.topics if group is not None else frozenset()

    def flush(self) -> None:
        """Deliver what is pending now, without waiting for the end of the loop turn."""
        self._scheduled = False
        self._pending = 0
        dirty, self._dirty = self._dirty, []
        for group in dirty:
            events, group.pending = group.pending, []
            joined = b"".join([event.frame for event in events])
            self.delivered += len(events) * len(group.sinks)
            for sink in group.sinks:
                # an earlier sink of this flush may have ended this one, or changed its topics
                if self._of.get(sink) is group:
                    self._deliver(sink, events, joined)

    def _deliver(self, sink: Sink, events: Sequence[StreamEvent], joined: bytes) -> None:
        try:
            sink.deliver(events, joined)
        except Exception:
            # One broken connection must not keep the others from their prices.
            _log.exception("a listener failed to take events; it hears no more")
            self.listen(sink, ())
            sink.end(MISSED, "insufficient_state")

    def _append(self, topic: Topic, event: StreamEvent) -> None:
        for group in topic.groups:
            pending = group.pending
            if not pending:
                self._dirty.append(group)
            pending.append(event)
        self._pending += 1
        # a turn that publishes without end must not hold all of it in memory
        if self._pending >= MAX_PENDING_EVENTS:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            # once a turn: a burst of ticks costs each connection one write
            self._clock.call_soon(self.flush)

    def _join(self, sink: Sink, topics: frozenset[Topic]) -> None:
        group = self._groups.get(topics)
        if group is None:
            group = self._groups[topics] = _Group(topics)
            for topic in topics:
                topic.groups += (group,)
                if not topic.is_keeping:
                    topic.start_keeping()
        # tuples, made anew: a flush that is under way goes on with the one that it has begun
        group.sinks += (sink,)
        self._of[sink] = group

    def _leave(self, sink: Sink, group: _Group) -> None:
        del self._of[sink]
        group.sinks = tuple(s for s in group.sinks if s is not sink)
        if not group.sinks:
            del self._groups[group.topics]
            for topic in group.topics:
                topic.groups = tuple(g for g in topic.groups if g is not group)
