"""One live terminal: requests with deadlines, heartbeats, events.

Theory of operation
===================

A session begins with ``welcome`` and ends with the link, once. It reads no socket: the server
hands it messages, it hands bytes to a :class:`Wire`. Time comes from :class:`Timers`, which an
event loop is and which a test can drive.

    request() -> Calls (in flight, by id) -> wire      messages -> handle() -> Calls | callbacks

What becomes of a command that trades is settled by one rule: once its bytes were handed to the
kernel, only a ``res`` tells its outcome. A deadline, a lost link, an unreadable answer make it
:class:`~ea_bridge.errors.OutcomeUnknown`, with ``acked`` as a hint; nothing is ever sent twice.
"""

from .calls import MAX_IN_FLIGHT, MAX_LATE, MAX_RESULT_BYTES, MAX_UNSENT, LateResult
from .liveness import (
    DEAD_S,
    HEARTBEAT_S,
    MAX_BUSY_S,
    STALE_S,
    Liveness,
    LoopTimers,
    SessionState,
    TimerHandle,
    Timers,
)
from .peer import DEFAULT_TIMEOUT_S, WINDOW, PeerSession, Wire
from .terminal import SessionCallbacks, TerminalSession

__all__ = [
    "DEAD_S",
    "DEFAULT_TIMEOUT_S",
    "HEARTBEAT_S",
    "MAX_BUSY_S",
    "MAX_IN_FLIGHT",
    "MAX_LATE",
    "MAX_RESULT_BYTES",
    "MAX_UNSENT",
    "STALE_S",
    "WINDOW",
    "LateResult",
    "Liveness",
    "LoopTimers",
    "PeerSession",
    "SessionCallbacks",
    "SessionState",
    "TerminalSession",
    "TimerHandle",
    "Timers",
    "Wire",
]
