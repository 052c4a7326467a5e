"""What a terminal says in one breath, taken in over several turns of the event loop.

A line may carry 20,000 ticks, and one read many lines. Taken in one turn they would become as many
events before any client had a chance to read, and clients that read at once would lose their
connections as if they did not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from ea_bridge.protocol.messages import Message, Ticks
from ea_bridge.session import Timer, Timers

MAX_TICKS = 256
"""In one turn: their events are about what the kernel takes for one client in a turn."""


class Pieces:
    """Hands messages on in their order, with no more ticks in a turn than :data:`MAX_TICKS`.

    Args:
        take: who gets them.
        hold: called when more has to wait, with true, and with false when nothing waits any more:
            what is not read meanwhile waits in the terminal.

    """

    def __init__(
        self,
        timers: Timers,
        take: Callable[[list[Message]], None],
        hold: Callable[[bool], None],
    ) -> None:
        self._timers = timers
        self._take = take
        self._hold = hold
        self._waiting: deque[list[Message]] = deque()
        self._timer: Timer | None = None

    def feed(self, messages: list[Message]) -> None:
        """Hand on what may be handed on now; the rest follows by itself."""
        pieces = _cut(messages)
        if not self._waiting and len(pieces) < 2:
            self._take(messages)
            return
        self._waiting.extend(pieces)
        if self._timer is None:
            self._hold(True)
            self._go_on()

    def flush(self) -> None:
        """Hand all on now: the conversation is over, and what was said still counts."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            self._take(self._waiting.popleft())

    def _go_on(self) -> None:
        self._timer = None
        self._take(self._waiting.popleft())
        if self._waiting:
            self._timer = self._timers.call_later(0.0, self._go_on)
        else:
            self._hold(False)


def _cut(messages: list[Message]) -> list[list[Message]]:
    """Return the messages in pieces; a long line of ticks becomes several messages."""
    pieces: list[list[Message]] = [[]]
    room = MAX_TICKS
    for message in messages:
        if not isinstance(message, Ticks):
            pieces[-1].append(message)
            continue
        at, count = 0, len(message.d)
        while count - at > room:
            if room:
                pieces[-1].append(msgspec.structs.replace(message, d=message.d[at : at + room]))
            at, room = at + room, MAX_TICKS
            pieces.append([])
        pieces[-1].append(msgspec.structs.replace(message, d=message.d[at:]) if at else message)
        room -= count - at
    return pieces
