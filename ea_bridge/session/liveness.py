"""Liveness of a peer: heartbeats, limits of silence, and the timers that sessions use."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Protocol

from ea_bridge import host


class TimerHandle(Protocol):
    """Call that is due later."""

    def cancel(self) -> None:
        """Make it not happen; harmless when it has."""


class Timers(Protocol):
    """Monotonic clock with calls that are due on it; every asyncio event loop is one."""

    def time(self) -> float:
        """Return the seconds since some moment."""

    def call_later(
        self, delay: float, callback: Callable[..., object], /, *args: object
    ) -> TimerHandle:
        """Call ``callback(*args)`` in ``delay`` seconds."""


class LoopTimers:
    """Timers of an event loop, with a fine clock.

    uvloop's own counts whole milliseconds, and a round trip to a terminal is shorter.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def time(self) -> float:
        """Return the seconds since some moment."""
        return host.monotonic_s()

    def call_later(
        self, delay: float, callback: Callable[..., object], /, *args: object
    ) -> TimerHandle:
        """Call ``callback(*args)`` in ``delay`` seconds."""
        return self._loop.call_later(delay, callback, *args)


HEARTBEAT_S = 1.0
STALE_S = 3.0
DEAD_S = 15.0
MAX_BUSY_S = 60.0
"""Longest silence that a terminal may announce: ``CopyTicks`` holds an EA up for 45 s."""
MAX_ECHOES = 16
"""Heartbeats whose echo is waited for: one more than fit into the time until a link is dead."""


class SessionState(enum.StrEnum):
    """States of a session."""

    READY = "ready"
    STALE = "stale"
    """Silent for 3 s. Its EA may be held up in a trade; prices may be old."""
    DISCONNECTED = "disconnected"


class Liveness:
    """Watch over one peer: it sends a heartbeat each second and looks for silence.

    Args:
        timers: the clock.
        beat: send heartbeat number n.
        on_change: the state went between ready and stale.
        on_dead: 15 s of silence, or what was announced by :meth:`busy`; whoever is told must
            call :meth:`stop`.

    """

    def __init__(
        self,
        timers: Timers,
        beat: Callable[[int], None],
        on_change: Callable[[], None],
        on_dead: Callable[[], None],
    ) -> None:
        self.state = SessionState.READY
        self.round_trip_s: float | None = None
        """Of the last heartbeat that was echoed; ``None`` before the first."""
        self._timers = timers
        self._beat = beat
        self._on_change = on_change
        self._on_dead = on_dead
        self._heard_at = timers.time()
        self._dead_s = DEAD_S
        self._proved_at = timers.time()
        self._n = 0
        self._sent: dict[int, float] = {}
        self._next_beat: TimerHandle | None = None
        self._next_check: TimerHandle | None = None

    @property
    def silence_s(self) -> float:
        """Time since the terminal said something."""
        return self._timers.time() - self._heard_at

    def start(self) -> None:
        """Send the first heartbeat and begin to watch."""
        self._heard_at = self._timers.time()
        self.proved()
        self._check_after(STALE_S)
        self._send_beat()

    def stop(self) -> None:
        """Send and watch no more: the link is gone."""
        self.state = SessionState.DISCONNECTED
        for timer in (self._next_beat, self._next_check):
            if timer is not None:
                timer.cancel()

    @property
    def is_busy(self) -> bool:
        """Whether the silence was announced."""
        return self._dead_s > DEAD_S

    def busy(self, limit_s: float) -> None:
        """Allow a silence of ``limit_s``, up to :data:`MAX_BUSY_S` after the last sign of
        reading.
        """
        # from the last proof on, or a peer that announces again and again would never be dead
        left_s = self._proved_at + MAX_BUSY_S - self._timers.time()
        self._dead_s = max(DEAD_S, min(limit_s, left_s))

    def proved(self) -> None:
        """Note that the terminal has read what we said."""
        self._proved_at = self._timers.time()

    def heard(self) -> None:
        """Note that the terminal said something."""
        self._heard_at = self._timers.time()
        # whatever it says ends the silence that it has announced
        self._dead_s = DEAD_S
        # timers of a silence are set anew only here: a busy link costs none
        if self.state is SessionState.STALE:
            self.state = SessionState.READY
            self._check_after(STALE_S)
            self._on_change()

    def echoed(self, n: int) -> None:
        """Note the answer to heartbeat ``n``."""
        sent = self._sent.pop(n, None)
        if sent is not None:
            self.proved()
            self.round_trip_s = self._timers.time() - sent

    def _send_beat(self) -> None:
        # first: the beat may end the session, which cancels the next one
        self._next_beat = self._timers.call_later(HEARTBEAT_S, self._send_beat)
        self._n += 1
        self._sent[self._n] = self._timers.time()
        self._sent.pop(self._n - MAX_ECHOES, None)  # a peer that never echoes fills no memory
        self._beat(self._n)

    def _check_silence(self) -> None:
        """Compare the silence with its limits; set the clock for the next one, never for each
        message that is heard.
        """
        silence = self._timers.time() - self._heard_at
        if silence >= self._dead_s:
            self._on_dead()
            return
        if silence >= STALE_S and self.state is SessionState.READY:
            self.state = SessionState.STALE
            self._on_change()
        limit = self._dead_s if silence >= STALE_S else STALE_S
        if self.state is not SessionState.DISCONNECTED:  # on_change may have ended the session
            self._check_after(limit - silence)

    def _check_after(self, delay_s: float) -> None:
        if self._next_check is not None:
            self._next_check.cancel()
        self._next_check = self._timers.call_later(delay_s, self._check_silence)
