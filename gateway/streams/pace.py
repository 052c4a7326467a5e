"""At most one event an interval: ``tick.100ms``, ``pnl.1000ms``."""

from __future__ import annotations

from collections.abc import Callable

from .hub import Clockwork, Hub, Timer, Topic


class Paced:
    """A topic that publishes the newest of what it is offered, at most once an interval.

    The first comes at once; what comes too soon waits for the end of the interval, where only
    the newest is left.
    """

    def __init__(
        self, topic: Topic, interval_ms: int, hub: Hub, clock: Clockwork, now_ms: Callable[[], int]
    ) -> None:
        self.topic = topic
        self._interval_s = interval_ms / 1000
        self._hub = hub
        self._clock = clock
        self._now_ms = now_ms
        self._waiting: str | None = None
        self._timer: Timer | None = None

    def offer(self, data: str, ts: int) -> None:
        """Publish now, or at the end of the interval unless something newer comes."""
        if self._timer is not None:
            self._waiting = data
            return
        self._timer = self._clock.call_later(self._interval_s, self._interval_over)
        self._hub.publish(self.topic, data, ts)

    def stop(self) -> None:
        """Publish nothing more."""
        self._waiting = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _interval_over(self) -> None:
        self._timer = None
        data, self._waiting = self._waiting, None
        if data is not None:
            self.offer(data, self._now_ms())
