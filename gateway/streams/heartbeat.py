"""Heartbeats: a sign of life for programs that cannot see WebSocket pings.

Any frame is a sign of life, so a heartbeat comes only after ``heartbeat_s`` of silence on that
connection: unasked, as a notification ``heartbeat``; to who has subscribed to the channel of that
name, as its event. One timer serves all.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from .event import Event, notification
from .hub import Hub, Listener, Scheduler, Timer, Topic

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
        events: dict[Topic, Event] = {}
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
