"""What waits for one slow connection: bounded, and fair to prices that are still fresh.

Three queues, emptied in this order:

1. answers to the connection's calls, first in, first out;
2. *lossless* events, first in, first out: each of them must arrive;
3. *latest* events, one a channel: a newer one takes the older one's place in the queue.

The second and third never change the order of one channel: a lossless event (a snapshot, a bar
that has closed) makes what waited of its channel out of date and removes it.

Answers and lossless events count against the bounds; latest events are bounded by the number of
channels. A connection over its bounds is closed with 4000 ``slow_consumer``. No I/O: the
connection puts while its transport is congested and takes when it drains; time is an argument.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .hub import Event

BACKLOG_MESSAGES = 1024
"""More than this for :data:`BACKLOG_S` is a consumer that will not catch up."""
BACKLOG_S = 5.0
STALLED_S = 10.0
"""A connection that takes nothing for so long while something waits is stuck."""


class Outbox:
    """The queue of one connection.

    Args:
        max_bytes: of answers and lossless events together.
        max_messages: the same, counted.

    """

    def __init__(self, max_bytes: int, max_messages: int) -> None:
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._answers: deque[bytes] = deque()
        self._lossless: deque[Event] = deque()
        self._latest: dict[str, Event] = {}
        self._queued: Counter[str] = Counter()
        self._conflated: Counter[str] = Counter()
        self._bytes = 0
        self._long_since: float | None = None
        self._waiting_since: float | None = None

    def __bool__(self) -> bool:
        """Something waits."""
        return bool(self._answers or self._lossless or self._latest)

    @property
    def messages(self) -> int:
        """How many messages wait, all queues together."""
        return len(self._answers) + len(self._lossless) + len(self._latest)

    def queued(self, key: str) -> int:
        """How many events of one topic wait."""
        return self._queued[key] + (key in self._latest)

    def conflated(self, key: str) -> int:
        """How many events of one topic were merged into newer ones, ever."""
        return self._conflated[key]

    def put_answer(self, frame: bytes, now: float) -> bool:
        """Queue the answer to a call; see :meth:`put_events` for what is returned."""
        self._answers.append(frame)
        self._bytes += len(frame)
        return self._within(now)

    def put_events(self, events: Iterable[Event], now: float) -> bool:
        """Queue events in their order.

        Args:
            now: seconds of a clock that never goes back.

        Returns:
            False if the connection is over its bounds, has been far behind for too long or takes
            nothing: it must be closed with 4000.

        """
        for event in events:
            key = event.key
            if event.latest:
                if key in self._latest:
                    self._conflated[key] += 1
                self._latest[key] = event
            else:
                if self._latest.pop(key, None) is not None:
                    self._conflated[key] += 1
                self._lossless.append(event)
                self._queued[key] += 1
                self._bytes += len(event.frame)
        return self._within(now)

    def take(self, max_bytes: int, now: float) -> bytes:
        """Remove and return the next frames, joined: at most ``max_bytes``, at least one frame."""
        frames: list[bytes] = []
        room = max_bytes
        while self and (not frames or len(self._next()) <= room):
            frame = self._pop()
            frames.append(frame)
            room -= len(frame)
        self._waiting_since = now if self else None
        self._within(now)
        return b"".join(frames)

    def forget(self, keys: Collection[str]) -> None:
        """Drop what waits of these topics: their subscription is over."""
        for key in keys:
            self._latest.pop(key, None)
            self._conflated.pop(key, None)
        if any(self._queued[key] for key in keys):
            gone = set(keys)
            self._bytes -= sum(len(e.frame) for e in self._lossless if e.key in gone)
            self._lossless = deque(e for e in self._lossless if e.key not in gone)
        for key in keys:
            self._queued.pop(key, None)

    def overdue(self, now: float) -> bool:
        """It has been far behind for too long, or nothing was taken for too long."""
        long = self._long_since is not None and now - self._long_since > BACKLOG_S
        stuck = self._waiting_since is not None and now - self._waiting_since > STALLED_S
        return long or stuck

    def _within(self, now: float) -> bool:
        counted = len(self._answers) + len(self._lossless)
        if counted <= BACKLOG_MESSAGES:
            self._long_since = None
        elif self._long_since is None:
            self._long_since = now
        if self._waiting_since is None and self:
            self._waiting_since = now
        within = self._bytes <= self._max_bytes and counted <= self._max_messages
        return within and not self.overdue(now)

    def _next(self) -> bytes:
        if self._answers:
            return self._answers[0]
        if self._lossless:
            return self._lossless[0].frame
        return next(iter(self._latest.values())).frame

    def _pop(self) -> bytes:
        if self._answers:
            frame = self._answers.popleft()
        elif self._lossless:
            event = self._lossless.popleft()
            frame = event.frame
            self._queued[event.key] -= 1
            if not self._queued[event.key]:
                del self._queued[event.key]
        else:
            key = next(iter(self._latest))
            return self._latest.pop(key).frame
        self._bytes -= len(frame)
        return frame
