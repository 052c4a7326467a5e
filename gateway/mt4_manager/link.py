"""The way to the peer of the MT4 server: its session, whichever lives now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ea_bridge.commands import Command
from ea_bridge.errors import (
    BridgeError,
    CommandFailed,
    CommandTimeout,
    NotSent,
    ResultTooLarge,
    TerminalBusy,
    Unsupported,
)
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.session import ManagerSession

from .errors import PeerOffline, PeerRefused, PeerSilent

QUESTION_S = 30.0
MAX_QUESTIONS = 64
MAX_CHANGES = 128
"""On the way at a time: so many wait for their turn at the peer, which takes one after the other,
and none so long that its time runs out there. Others wait here, as many as may be connected."""
BUSY = "The peer of the MT4 server has too much to do; try again in a moment"
TOO_LARGE = "The answer is too large; ask for less with limit"

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


class Link:
    """Link to the peer, which may come and go.

    Args:
        session: the live session, ``None`` while there is none.

    """

    def __init__(self, session: Callable[[], ManagerSession | None]) -> None:
        self._session = session
        self._questions = asyncio.Semaphore(MAX_QUESTIONS)
        self.changes = asyncio.Semaphore(MAX_CHANGES)
        """The turns of changes; long lists take none of them."""

    @property
    def live(self) -> ManagerSession | None:
        """The session, if the peer is linked."""
        return self._session()

    @property
    def is_linked(self) -> bool:
        """Whether a peer is there."""
        return self._session() is not None

    def session(self) -> ManagerSession:
        """Return the live session.

        Raises:
            PeerOffline: there is none.

        """
        session = self._session()
        if session is None:
            raise PeerOffline
        return session

    async def ask(self, command: Command[P, R], params: P, *, timeout_s: float = QUESTION_S) -> R:
        """Ask a question; what changes something goes through the journal.

        Raises:
            PeerOffline: no peer is there, or it is too busy.
            PeerSilent: it did not answer in time.
            PeerRefused: the server said no.

        """
        assert not command.trades  # it would bypass the journal
        try:
            # the session is looked up once it is our turn: the peer may have linked anew
            async with self._questions:
                return await self.session().request(command, params, timeout_s=timeout_s)
        except BridgeError as error:
            raise explained(command.op, error) from error


def explained(op: str, error: BridgeError) -> PeerOffline | PeerSilent | PeerRefused:
    """Return what an error of a question, or of a change that was not sent, is here."""
    match error:
        case CommandFailed():
            return PeerRefused(op, error.retcode, error.err)
        case CommandTimeout():
            return PeerSilent()
        case TerminalBusy():
            return PeerOffline(BUSY)
        case ResultTooLarge():
            return PeerOffline(TOO_LARGE)
        case Unsupported() | NotSent():
            return PeerOffline()
    return PeerOffline()
