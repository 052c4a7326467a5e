"""The emulated terminal's wire: connects, proves itself, keeps the link alive, comes back.

One :class:`Link` is what the EA's main loop is: it dials the daemon, answers commands, pumps what
the terminal has to tell, and starts over after every disconnect. What is said on one connection
is in :mod:`.conversation`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Callable

from ea_bridge.protocol.messages import Pending

from .conversation import LAST_RETRY_S, PULSE_S, Conversation, LinkRefused, WrongDevice
from .terminal import EmulatedTerminal

__all__ = ["Link", "LinkRefused", "WrongDevice"]

FIRST_RETRY_S = 0.25

_log = logging.getLogger(__name__)


class Link:
    """Keeps a terminal connected to a daemon until told to stop.

    Args:
        terminal: the terminal.
        host: where the daemon's bridge listens.
        port: its port.
        token: the terminal's ``auth_token``; never logged.
        seed: of the jitter between attempts.
        on_pending: called when this machine waits for approval, and again after each wrong code;
            the link waits on and gets ready by itself. It is in the log too.

    """

    def __init__(
        self,
        terminal: EmulatedTerminal,
        host: str,
        port: int,
        token: str,
        *,
        seed: int = 0,
        on_pending: Callable[[Pending], None] | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        """Set while the daemon listens to us."""
        self._on_pending = on_pending or _ignore
        self._terminal = terminal
        self.port = port
        """Where the next dial goes; a daemon may come back on another port."""
        self._host, self._token = host, token
        self._jitter = random.Random(seed)  # noqa: S311 - spreads reconnects, guards nothing
        self._conversation: Conversation | None = None
        self._refusal: LinkRefused | None = None
        self._stopping = False

    async def run(self) -> None:
        """Dial, talk, and dial again, until cancelled or :meth:`stop`.

        Raises:
            LinkRefused: the daemon refuses the token, and has never let us in before.
            WrongDevice: another daemon than the one that let us in first knows the token.

        """
        guarding = asyncio.create_task(self._guard())
        try:
            await self._dial()
        finally:
            guarding.cancel()

    async def _guard(self) -> None:
        """Enforce the lease, whether the daemon is there or not."""
        while True:
            await asyncio.sleep(PULSE_S)
            self._terminal.desk.lease.enforce()

    async def _dial(self) -> None:
        retry_s, was_ever_ready = FIRST_RETRY_S, False
        while not self._stopping:
            wait_s = await self._converse()
            was_ready = self.ready.is_set()
            was_ever_ready = was_ever_ready or was_ready
            if isinstance(self._refusal, WrongDevice) or (self._refusal and not was_ever_ready):
                raise self._refusal
            self.ready.clear()
            if self._stopping:
                return
            retry_s = FIRST_RETRY_S if was_ready else min(retry_s * 2, LAST_RETRY_S)
            if wait_s is not None:  # the daemon has said so, or we: no sooner
                await asyncio.sleep(wait_s * self._jitter.uniform(1.0, 1.25))
            else:
                await asyncio.sleep(retry_s * self._jitter.uniform(0.75, 1.25))

    async def _converse(self) -> float | None:
        loop = asyncio.get_running_loop()
        try:
            _, conversation = await loop.create_connection(
                lambda: Conversation(
                    self._terminal, self._token, self.ready.set, self._on_pending
                ),
                self._host,
                self.port,
            )
        except OSError as error:
            _log.warning("no daemon on %s:%d (%s)", self._host, self.port, error.strerror)
            return None
        self._conversation = conversation
        try:
            result: float | None = await conversation.over
        except asyncio.CancelledError:
            conversation.say_goodbye()
            raise
        finally:
            self._conversation = None
        self._refusal = conversation.refusal
        return result

    def verify(self, code: str) -> bool:
        """Send the code of the mail; false while no approval is waited for.

        A wrong one is told by ``on_pending``.

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


def _ignore(pending: Pending) -> None:
    """Nobody but the log is told."""
