"""Outbox of one slow connection: bounded, and fair to prices that are still fresh.

Three queues, emptied in this order:

1. answers to the connection's calls, first in, first out;
2. events, first in, first out: *lossless* ones, each of which must arrive, and *latest* ones while
   the connection is not far behind: a burst is no reason to merge anything;
3. *latest* events of a connection that is far behind (two seconds, or half of what it may be), one
   a channel: a newer one takes the older one's place in the queue.

The second and third never change the order of one channel: a lossless event (a snapshot, a bar
that has closed) makes what waited of its channel out of date and removes it.

What is in the first two counts against the bounds; the third is bounded by the number of
channels. Events of one loop turn come as one *piece*, joined already: it waits as it came, counts
as one message, and leaves in one write. Only who is far behind has it taken apart.

A connection over its bounds is closed with 4000 ``slow_consumer``. No I/O: the connection puts
while its transport is congested and takes when it drains; time is an argument.

:class:`StreamEvent` is one event of a topic, with the WebSocket text frame that carries it. Frames
are built by hand (RFC 6455, section 5.2): a server's frames are unmasked, so one frame serves all
listeners.
"""

from __future__ import annotations

import struct
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

_FIN_TEXT = 0x81


def _header(length: int) -> bytes:
    if length < 126:
        return bytes((_FIN_TEXT, length))
    if length < 0x10000:
        return struct.pack(">BBH", _FIN_TEXT, 126, length)
    return struct.pack(">BBQ", _FIN_TEXT, 127, length)


_HEADERS = tuple(_header(length) for length in range(1024))
"""Headers of the lengths that events mostly have; a look-up takes a third of the packing."""


def text_frame(payload: bytes) -> bytes:
    """Return one complete, unfragmented text frame around UTF-8 ``payload``."""
    length = len(payload)
    return (_HEADERS[length] if length < 1024 else _header(length)) + payload


def notification(name: str, params: Mapping[str, Any]) -> bytes:
    """Return the text of a notification that nobody asked for."""
    return orjson.dumps({"jsonrpc": "2.0", "method": name, "params": params})


def frame_payload(frame: bytes) -> bytes:
    """Return what :func:`text_frame` was given."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


class StreamEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of one topic, encoded."""

    key: str
    """The topic's."""
    latest: bool
    """A newer event of the topic makes this one out of date; it may be merged away."""
    frame: bytes
    """A complete unmasked WebSocket text frame."""

    @property
    def payload(self) -> bytes:
        """The JSON inside the frame."""
        return frame_payload(self.frame)


COALESCED_BYTES = 65_536
"""Of the events in one frame: what clients take without being asked is often bounded by 1 MB."""


class Coalescer:
    """Joiner of the events of one delivery into a JSON array, for connections that asked for it.

    A frame costs a client more than an event in it. The hub gives the connections of a group the
    same bytes, one connection after the other, so the last answer is kept for the next one. What
    waits for a slow connection stays in frames of its own.
    """

    def __init__(self) -> None:
        self._of = self._frames = b""

    def frames(self, events: Sequence[StreamEvent], joined: bytes) -> bytes:
        """Return the frames in which events go to one connection.

        Args:
            joined: their own frames, in a row.

        """
        if len(events) == 1:
            return joined
        if joined is not self._of:
            self._of, self._frames = joined, b"".join(_arrays(events))
        return self._frames


def _arrays(events: Sequence[StreamEvent]) -> Iterator[bytes]:
    together: list[StreamEvent] = []
    size = 0
    for event in events:
        if together and size + len(event.frame) > COALESCED_BYTES:
            yield _array(together)
            together, size = [], 0
        together.append(event)
        size += len(event.frame)
    yield _array(together)


def _array(events: Sequence[StreamEvent]) -> bytes:
    if len(events) == 1:  # what is alone is no array, wherever it stood in its delivery
        return events[0].frame
    return text_frame(b"[" + b",".join([event.payload for event in events]) + b"]")


class _Piece(NamedTuple):
    """Events that were delivered together."""

    events: Sequence[StreamEvent]
    joined: bytes
    """Their frames in a row; the same object for all connections that they went to."""


def _piece(events: Sequence[StreamEvent]) -> _Piece:
    return _Piece(events, b"".join([event.frame for event in events]))


MERGE_AFTER_S = 2.0
"""A connection whose outbox has not been empty for so long gets merged prices, but fresh ones."""
BACKLOG_MESSAGES = 1024
"""More than this for :data:`BACKLOG_S` is a consumer that will not catch up."""
BACKLOG_S = 5.0
STALLED_S = 10.0
"""A connection that takes nothing for so long while something waits is stuck."""


class Outbox:
    """Queue of what one connection has not taken yet.

    Args:
        max_bytes: of answers and lossless events together.
        max_messages: the same, counted: an answer or a piece is one.
        merge_after_s: when *latest* events begin to be merged.

    """

    def __init__(
        self, max_bytes: int, max_messages: int, merge_after_s: float = MERGE_AFTER_S
    ) -> None:
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._merge_after_s = merge_after_s
        self._behind_since: float | None = None
        self._merging = False
        self._answers: deque[bytes] = deque()
        self._pieces: deque[_Piece] = deque()
        self._latest: dict[str, StreamEvent] = {}
        self._conflated: Counter[str] = Counter()
        self.merged = 0
        """Events of all topics that were ever merged into newer ones."""
        self._bytes = 0
        self._long_since: float | None = None
        self._waiting_since: float | None = None

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._answers or self._pieces or self._latest)

    @property
    def messages(self) -> int:
        """Number of messages that wait, all queues together."""
        in_line = sum(len(piece.events) for piece in self._pieces)
        return len(self._answers) + in_line + len(self._latest)

    @property
    def size(self) -> int:
        """Bytes of them that count against the bound: all but what may be merged."""
        return self._bytes

    def queued(self, key: str) -> int:
        """Return how many events of one topic wait."""
        in_line = sum(event.key == key for piece in self._pieces for event in piece.events)
        return in_line + (key in self._latest)

    def conflated(self, key: str) -> int:
        """Return how many events of one topic were ever merged into newer ones."""
        return self._conflated[key]

    def put_answer(self, frame: bytes, now: float) -> bool:
        """Queue the answer to a call; see :meth:`put_events` for what is returned."""
        self._answers.append(frame)
        self._bytes += len(frame)
        return self._within(now)

    def put_events(self, events: Sequence[StreamEvent], joined: bytes, now: float) -> bool:
        """Queue events in their order.

        Args:
            joined: their frames in a row.
            now: seconds of a clock that never goes back.

        Returns:
            False if the connection is over its bounds, has been far behind for too long or takes
            nothing: it must be closed with 4000.

        """
        if events:
            self._note_backlog(now)
            # only who is far behind loses prices between: in a burst everybody gets all of them
            if self._merging:
                self._merge_all(events)
            else:
                self._append(_Piece(events, joined))
        return self._within(now)

    def take(self, max_bytes: int, now: float) -> bytes:
        """Remove and return the next frames, joined: at most ``max_bytes``, at least one frame."""
        frames: list[bytes] = []
        room = max_bytes
        # one frame at least, however large: else it would wait for ever
        while self and (not frames or self._next_size() <= room):
            frame = self._pop(room)
            frames.append(frame)
            room -= len(frame)
        # something was taken, so the connection is alive: its time begins anew
        self._waiting_since = now if self else None
        if not self:
            # caught up: nothing is merged any more
            self._behind_since, self._merging = None, False
        self._within(now)
        return b"".join(frames)

    def discard(self, keys: Collection[str]) -> None:
        """Drop what waits of these topics: their subscription is over."""
        for key in keys:
            self._latest.pop(key, None)
            self._conflated.pop(key, None)
        gone = set(keys)
        # a piece is rebuilt only where it has such an event: mostly nothing waits
        waiting, self._pieces = self._pieces, deque()
        for piece in waiting:
            kept = [event for event in piece.events if event.key not in gone]
            if len(kept) == len(piece.events):
                self._pieces.append(piece)
                continue
            self._bytes -= len(piece.joined)
            if kept:
                self._append(_piece(kept))

    def overdue(self, now: float) -> bool:
        """Whether it has been far behind for too long, or nothing was taken for too long."""
        long = self._long_since is not None and now - self._long_since > BACKLOG_S
        stuck = self._waiting_since is not None and now - self._waiting_since > STALLED_S
        return long or stuck

    def _note_backlog(self, now: float) -> None:
        """Begin to merge once the connection is far behind; what waits already is merged too."""
        if self._behind_since is None:
            self._behind_since = now
        if self._merging:
            return
        late = now - self._behind_since >= self._merge_after_s
        full = 2 * self._bytes > self._max_bytes or 2 * self._counted > self._max_messages
        if late or full:
            self._merging = True
            waiting, self._pieces = self._pieces, deque()
            self._bytes -= sum(len(piece.joined) for piece in waiting)
            for piece in waiting:
                self._merge_all(piece.events)

    def _append(self, piece: _Piece) -> None:
        self._pieces.append(piece)
        self._bytes += len(piece.joined)

    def _merge_all(self, events: Sequence[StreamEvent]) -> None:
        """Replace what waits of the events' channels; a lossless event makes it out of date."""
        lossless: list[StreamEvent] = []
        latest = self._latest
        for event in events:
            key = event.key
            if event.latest:
                if key in latest:
                    self._conflate(key)
                latest[key] = event
            else:
                if latest.pop(key, None) is not None:
                    self._conflate(key)
                lossless.append(event)
        if lossless:
            self._append(_piece(lossless))

    def _conflate(self, key: str) -> None:
        self._conflated[key] += 1
        self.merged += 1

    @property
    def _counted(self) -> int:
        return len(self._answers) + len(self._pieces)

    def _within(self, now: float) -> bool:
        counted = self._counted
        # a short peak is no slow consumer: only a long one is closed
        if counted <= BACKLOG_MESSAGES:
            self._long_since = None
        elif self._long_since is None:
            self._long_since = now
        if self._waiting_since is None and self:
            self._waiting_since = now
        within = self._bytes <= self._max_bytes and counted <= self._max_messages
        return within and not self.overdue(now)

    def _next_size(self) -> int:
        if self._answers:
            return len(self._answers[0])
        if self._pieces:
            return len(self._pieces[0].joined)
        return len(next(iter(self._latest.values())).frame)

    def _pop(self, room: int) -> bytes:
        if self._answers:
            frame = self._answers.popleft()
        elif self._pieces:
            frame = self._pop_piece(room)
        else:
            key = next(iter(self._latest))
            return self._latest.pop(key).frame
        self._bytes -= len(frame)
        return frame

    def _pop_piece(self, room: int) -> bytes:
        """Return the next piece; of one that is too large, what fits: one event at least."""
        piece = self._pieces.popleft()
        events = piece.events
        if len(piece.joined) <= room or len(events) == 1:
            return piece.joined
        taken = size = 0
        while taken < len(events) and (not taken or size + len(events[taken].frame) <= room):
            size += len(events[taken].frame)
            taken += 1
        if rest := events[taken:]:
            self._pieces.appendleft(_Piece(rest, piece.joined[size:]))
        return piece.joined[:size]
