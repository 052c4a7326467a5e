"""The ``heartbeat`` channel: a sign of life for programs that cannot see WebSocket pings.

Any frame is a sign of life, so a heartbeat comes only after ``heartbeat_s`` of silence on that
connection. One timer serves all.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from .hub import Clockwork, Hub, Listener, Timer, Topic

LEAST_PAUSE_S = 0.25
"""Between two rounds of looking for silence."""


class Heartbeats:
    """Sends heartbeats to listeners that have heard nothing for long."""

    def __init__(self, hub: Hub, clock: Clockwork, now_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._clock = clock
        self._now_ms = now_ms
        self._topics: dict[Listener, Topic] = {}
        self._timer: Timer | None = None

    def start(self, listener: Listener, topic: Topic) -> None:
        """Begin to watch a connection's silence."""
        if listener not in self._topics:
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
        self._timer = self._clock.call_later(pause, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.time()
        data = orjson.dumps({"time": self._now_ms()}).decode()
        silent = [one for one in self._topics if now - one.last_sent >= one.heartbeat_s]
        events = {}
        for topic in {self._topics[listener] for listener in silent}:
            topic.seq += 1
            events[topic] = topic.encode("update", data, self._now_ms(), latest=True)
        for listener in silent:
            self._hub.send(listener, (events[self._topics[listener]],))
        if self._topics:
            self._set_timer()
