"""Link of a peer: it dials the daemon, and dials again after every disconnect."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from ea_bridge.host import monotonic_s

from .conversation import LinkRefused, PeerConversation, WrongDevice

REFUSED_FIRST_S, REFUSED_LAST_S = 5.0, 60.0
REPLACED_FIRST_S, REPLACED_LAST_S = 300.0, 3600.0
"""The newest link wins: were we to come back at once, two peers with the same token would throw
each other out for ever."""
FORGET_S = 3 * REPLACED_LAST_S
"""Two that still throw each other out do so more often: each waits for an hour at the most."""


class ReconnectDelays:
    """Waits before the next dial, which grow; as ``Patience.mqh`` of the EA.

    What is in the way needs a person, who may take days: so the peer asks ever more rarely, but
    often enough that the link is back soon after.

    Args:
        clock: seconds since some moment.

    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refused_s = 0.0
        self._replaced_s = REPLACED_FIRST_S
        self._replaced_at: float | None = None

    def linked(self) -> None:
        """Note that the daemon had let us in."""
        self._refused_s = 0.0

    def refused(self, asked_s: float | None) -> float:
        """Return how long to wait after a refusal; the daemon may have asked for a time."""
        # no sooner than the daemon asks, and no sooner than last time
        wait_s = max(asked_s or REFUSED_FIRST_S, self._refused_s)
        self._refused_s = min(max(self._refused_s, REFUSED_FIRST_S) * 2, REFUSED_LAST_S)
        return wait_s

    def replaced(self) -> float:
        """Return how long to wait after another peer came with our token; one that came long
        ago is forgotten.
        """
        now = self._clock()
        if self._replaced_at is None or now - self._replaced_at > FORGET_S:
            self._replaced_s = REPLACED_FIRST_S
        self._replaced_at = now
        wait_s, self._replaced_s = self._replaced_s, min(self._replaced_s * 2, REPLACED_LAST_S)
        return wait_s


__all__ = ["LinkRefused", "PeerLink", "WrongDevice"]

FIRST_RETRY_S = 0.25
LAST_RETRY_S = 15.0

C = TypeVar("C", bound=PeerConversation)
_log = logging.getLogger(__name__)


class PeerLink(Generic[C]):
    """Link that keeps a peer connected to a daemon until told to stop.

    Args:
        converse: makes a conversation; is given what to call when the daemon has let us in.
        host: where the daemon's bridge listens.
        port: its port.
        seed: of the jitter between attempts.

    """

    def __init__(
        self, converse: Callable[[Callable[[], None]], C], host: str, port: int, *, seed: int = 0
    ) -> None:
        self.ready = asyncio.Event()
        """Set while the daemon listens to us."""
        self.port = port
        """Port of the next dial; a daemon may come back on another one."""
        self._make = converse
        self._host = host
        self._jitter = random.Random(seed)  # noqa: S311 - spreads reconnects, guards nothing
        self._conversation: C | None = None
        self._refusal: LinkRefused | None = None
        self._replaced = False
        self._delays = ReconnectDelays(monotonic_s)
        self._stopping = False

    async def run(self) -> None:
        """Dial, talk, and dial again, until cancelled or :meth:`stop`.

        Raises:
            LinkRefused: the daemon refuses the token, and has never let us in before.
            WrongDevice: another daemon than the one that let us in first knows the token.

        """
        retry_s, was_ever_ready = FIRST_RETRY_S, False
        while not self._stopping:
            wait_s = await self._converse()
            was_ready = self.ready.is_set()
            was_ever_ready = was_ever_ready or was_ready
            if was_ready:
                self._delays.linked()
            # a token that has worked may be refused for a while; a wrong one never gets better
            if isinstance(self._refusal, WrongDevice) or (self._refusal and not was_ever_ready):
                raise self._refusal
            self.ready.clear()
            if self._stopping:
                return
            # a link that worked is tried again at once: most breaks are short
            retry_s = FIRST_RETRY_S if was_ready else min(retry_s * 2, LAST_RETRY_S)
            if self._refusal is not None:
                wait_s = self._delays.refused(wait_s)
            elif self._replaced:
                wait_s = self._delays.replaced()
            if wait_s is not None:  # the daemon has said so, or we: no sooner
                await asyncio.sleep(wait_s * self._jitter.uniform(1.0, 1.25))
            else:
                # spread: all terminals of a machine lose their daemon in the same moment
                await asyncio.sleep(retry_s * self._jitter.uniform(0.75, 1.25))

    async def _converse(self) -> float | None:
        loop = asyncio.get_running_loop()
        try:
            _, conversation = await loop.create_connection(
                lambda: self._make(self.ready.set), self._host, self.port
            )
        except OSError as error:
            _log.warning("no daemon on %s:%d (%s)", self._host, self.port, error.strerror)
            return None
        self._conversation = conversation
        try:
            return await conversation.over
        except asyncio.CancelledError:
            # so that the daemon need not find out by our silence
            conversation.say_goodbye()
            raise
        finally:
            self._conversation = None
            self._refusal = conversation.refusal
            self._replaced = conversation.replaced

    def verify(self, code: str) -> bool:
        """Send the code of the mail; false while no approval is waited for.

        Raises:
            ValueError: it is not 8 digits.

        """
        if not re.fullmatch("[0-9]{8}", code):
            raise ValueError("the code of the mail has 8 digits")
        return self._conversation is not None and self._conversation.verify(code)

    def cut(self) -> None:
        """Break the link as a crash does; it comes back by itself."""
        if self._conversation is not None:
            self._conversation.abort()

    def stop(self) -> None:
        """Say goodbye and don't come back."""
        self._stopping = True
        if self._conversation is not None:
            self._conversation.say_goodbye()


@asynccontextmanager
async def linked(link: PeerLink[Any]) -> AsyncIterator[asyncio.Task[None]]:
    """Keep a peer linked while the context lasts; entered once it is.

    Yields:
        What ends when it gives up.

    """
    running = asyncio.create_task(link.run())
    ready = asyncio.create_task(link.ready.wait())
    try:
        # whichever is first: a link that is refused never becomes ready
        await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield running
    finally:
        ready.cancel()
        link.stop()
        running.cancel()
        await asyncio.wait((running, ready))
