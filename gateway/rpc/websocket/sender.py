"""The outgoing half of a WebSocket connection.

While the peer reads, frames go straight to the transport: the first of a loop turn at once, the
others of that turn in one write at its end, in order. When the transport's buffer is full the
peer is congested: everything waits in the outbox, where answers go first and a newer price
replaces an older one.

A peer that reads nothing for ``STALLED_S``, or lets more pile up than the outbox takes, is too
slow and loses its connection. It can neither grow our memory nor delay others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.http.connections import Connection
from gateway.streams import StreamEvent
from gateway.streams.outbox import STALLED_S, Coalescer, Outbox

HIGH_WATER_BYTES = 16_384
"""In the transport's buffer; beyond it the peer is congested."""
WRITE_BYTES = 65_536
"""Joined into one write, within a loop turn or when a congested peer reads again."""


class Sender:
    """Writer of frames to one peer, in order, that never waits for it.

    Args:
        connection: the HTTP connection that the WebSocket took over.
        outbox: where frames wait while the peer is congested.
        on_slow: called when the peer is too slow to be kept; it should call :meth:`finish`.

    """

    def __init__(
        self,
        connection: Connection,
        transport: asyncio.Transport,
        outbox: Outbox,
        on_slow: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._outbox = outbox
        self._on_slow = on_slow
        self._loop = asyncio.get_running_loop()
        self._turn: list[bytes] | None = None
        self._turn_bytes = 0
        self._finished = False
        self._blocked: asyncio.TimerHandle | None = None
        self._writable: asyncio.Future[None] | None = None
        # the connection pauses at the first byte that waits; a few frames are no congestion yet
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        connection.on_flow = self._flow

    @property
    def congested(self) -> bool:
        """Whether something waits for the peer to read."""
        return self._connection.writing_paused or bool(self._outbox)

    def answer(self, frame: bytes) -> None:
        """Send the answer to a request."""
        if self._finished:
            return
        # past what waits in the outbox nothing goes: frames of one channel keep their order
        if not self.congested:
            self._put(frame)
        elif not self._outbox.put_answer(frame, self._loop.time()):
            self._on_slow()

    def events(
        self, events: Sequence[StreamEvent], joined: bytes, coalescer: Coalescer | None = None
    ) -> None:
        """Send events.

        Args:
            joined: their frames in a row.
            coalescer: what makes fewer frames of them, if the peer takes that.

        """
        if self._finished:
            return
        if not self.congested:
            self._put(joined if coalescer is None else coalescer.frames(events, joined))
        elif not self._outbox.put_events(events, joined, self._loop.time()):
            self._on_slow()

    def control(self, frame: bytes) -> bool:
        """Send a ping or pong, unless the peer is congested; return whether it was sent."""
        if self._finished or self.congested:
            return False
        self._put(frame)
        return True

    def finish(self, frame: bytes) -> None:
        """Send the close frame after what was written already; drop what still waits."""
        if self._finished:
            return
        self._end_turn()  # what this loop turn has collected stands before the close frame
        self._finished = True
        if not self._transport.is_closing():
            self._transport.write(frame)
        self.release()

    def release(self) -> None:
        """Stop the timers and let go of whoever waits: nothing will be sent any more."""
        self._finished = True
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None
        self._wake()

    async def writable(self) -> None:
        """Wait until the peer is not congested, or the connection is over."""
        while self.congested and not self._finished:
            self._writable = self._loop.create_future()
            await self._writable

    def _put(self, frame: bytes) -> None:
        if self._turn is None:
            # at once: mostly it is the only frame of the turn, and a trader waits for it
            self._turn = []
            self._transport.write(frame)
            self._loop.call_soon(self._end_turn)
            return
        # many small writes cost a system call each, and a segment each since Nagle is off
        self._turn.append(frame)
        self._turn_bytes += len(frame)
        if self._turn_bytes > WRITE_BYTES:
            self._write_turn(self._turn)
            self._turn = []

    def _end_turn(self) -> None:
        """Write what came after the turn's first frame; go on collecting while there is more."""
        turn, self._turn = self._turn, None
        if turn:
            self._write_turn(turn)
            # only after a turn with nothing in it does a frame go out at once again
            if not self._finished:
                self._turn = []
                self._loop.call_soon(self._end_turn)

    def _write_turn(self, turn: list[bytes]) -> None:
        self._turn_bytes = 0
        if not self._transport.is_closing():
            self._transport.write(b"".join(turn))

    def _flow(self) -> None:
        if self._finished:
            return
        if self._connection.writing_paused:
            # the clock runs while nothing at all is taken; each time the buffer drains it is reset
            self._blocked = self._loop.call_later(STALLED_S, self._on_slow)
            return
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None
        self._catch_up()

    def _catch_up(self) -> None:
        self._end_turn()  # older than all that waits in the outbox
        now = self._loop.time()
        # in pieces: as soon as the buffer is full again, the rest may still be merged or replaced
        while self._outbox and not self._connection.writing_paused:
            self._transport.write(self._outbox.take(WRITE_BYTES, now))
        if not self.congested:
            self._wake()

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None
