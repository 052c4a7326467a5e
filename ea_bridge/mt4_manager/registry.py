"""Registry of live manager peers.

They are kept apart from terminals, so that neither can be taken for the other.

As with terminals the newest link of a token wins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container

from ea_bridge.mt4_manager.session import ManagerSession
from ea_bridge.session import SessionState

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
        older = self._live.pop(session.terminal, None)
        self._live[session.terminal] = session
        if older is not None:
            older.close("replaced")
        self._notify(session)

    def note_change(self, session: ManagerSession) -> None:
        """Take over a change of a session; one that was replaced is ignored."""
        if self._live.get(session.terminal) is not session:
            return
        if session.state is SessionState.DISCONNECTED:
            del self._live[session.terminal]
        self._notify(session)

    def _notify(self, session: ManagerSession) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(session)
            except Exception:
                logger.exception("a subscriber failed on a change of %s", session.terminal)
