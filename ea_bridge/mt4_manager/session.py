"""Session of a manager peer, and the registry of the live ones.

They are kept apart from terminals, so that neither can be taken for the other. As with terminals
the newest link of a token wins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

from ea_bridge import host
from ea_bridge.mt4_manager.commands import MAX_ANSWER_BYTES, MAX_LINE_TO_MANAGER
from ea_bridge.protocol.connection import Connection
from ea_bridge.protocol.messages import Hb, Hello
from ea_bridge.session import SessionState
from ea_bridge.session.calls import Bounds, LateResult
from ea_bridge.session.liveness import Timers
from ea_bridge.session.peer import PeerSession, Wire

MAX_MANAGER_IN_FLIGHT = 256
"""As many as one ``results_get`` can ask about."""
MANAGER_BOUNDS = Bounds(
    in_flight=MAX_MANAGER_IN_FLIGHT,
    answer_bytes=MAX_ANSWER_BYTES,
    unsent=4 * MAX_LINE_TO_MANAGER,
)


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class ManagerCallbacks:
    """Listeners of a manager's session. All are called in the event loop and must not block."""

    on_change: Callable[[ManagerSession], None] = _ignore
    """``state`` or ``broker`` is another than before."""
    on_late_result: Callable[[ManagerSession, LateResult], None] = _ignore


class ManagerSession(PeerSession):
    """Session of one live manager peer; asked with :mod:`ea_bridge.mt4_manager.commands` only.

    ``broker``: it is logged in at the MetaTrader 4 server, as its last heartbeat told.

    Args:
        callbacks: who hears of what happens; the others as of a :class:`.PeerSession`.

    """

    def __init__(
        self,
        *,
        terminal: str,
        generation: int,
        id: str,
        hello: Hello,
        connection: Connection,
        wire: Wire,
        timers: Timers,
        command_ids: Iterator[int],
        callbacks: ManagerCallbacks,
    ) -> None:
        super().__init__(
            terminal=terminal,
            generation=generation,
            id=id,
            hello=hello,
            connection=connection,
            wire=wire,
            timers=timers,
            command_ids=command_ids,
            bounds=MANAGER_BOUNDS,
        )
        self._callbacks = callbacks

    def _take_heartbeat(self, hb: Hb) -> None:
        super()._take_heartbeat(hb)
        if hb.broker is not self.broker:
            self.broker = hb.broker
            self._notify_change()

    # nobody sets this clock, and it counts sleep: the peer learns from it how late a command came
    def _stamp(self) -> int:
        return host.boot_ms()

    def _notify_change(self) -> None:
        self._notify(self._callbacks.on_change)

    def _notify_late_result(self, late: LateResult) -> None:
        self._notify(self._callbacks.on_late_result, late)


MAX_SUBSCRIBERS = 16

Subscriber = Callable[[ManagerSession], None]
logger = logging.getLogger(__name__)


class ManagerRegistry:
    """Live manager sessions by the id that their token says.

    Args:
        ids: of the tokens that are for manager peers. A peer with one of them must say that it
            is one; a peer with any other token must not. Whoever holds a terminal's token could
            otherwise take the manager's password and the operators' money changes.

    """

    def __init__(self, ids: Container[str]) -> None:
        self._ids = ids
        self._live: dict[str, ManagerSession] = {}
        self._subscribers: list[Subscriber] = []

    def takes(self, id_: str) -> bool:
        """Whether a token is for a manager peer."""
        return id_ in self._ids

    def get(self, id_: str) -> ManagerSession | None:
        """Return the live session of a manager peer, ``None`` if there is none."""
        return self._live.get(id_)

    def sessions(self) -> list[ManagerSession]:
        """Return the live sessions."""
        return list(self._live.values())

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber`` with each session that began, changed or ended (its ``state`` and
        ``broker`` say which); return what ends that.

        It is called in the event loop and must not block.

        Raises:
            OverflowError: there are :data:`MAX_SUBSCRIBERS` already.

        """
        if len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise OverflowError(f"{MAX_SUBSCRIBERS} subscribers")
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    # --- for the server ------------------------------------------------------------------

    def join(self, session: ManagerSession) -> None:
        """Enter a session; an older one of the same token is told ``bye: replaced``."""
        # out of the table before it is closed: its end must not look like the peer's
        older = self._live.pop(session.terminal, None)
        self._live[session.terminal] = session
        if older is not None:
            older.close("replaced")
        self._notify(session)

    def note_change(self, session: ManagerSession) -> None:
        """Take over a change of a session; one that was replaced is ignored."""
        # the end of a link that was replaced comes after its successor's beginning
        if self._live.get(session.terminal) is not session:
            return
        if session.state is SessionState.DISCONNECTED:
            del self._live[session.terminal]
        self._notify(session)

    def _notify(self, session: ManagerSession) -> None:
        # a copy: a subscriber may leave while it is told
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(session)
            except Exception:
                logger.exception("a subscriber failed on a change of %s", session.terminal)
