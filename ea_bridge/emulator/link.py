"""The emulated terminal's wire: connects, proves itself, keeps the link alive, comes back.

One :class:`Link` is what the EA's main loop is: it dials the daemon, answers commands, pumps what
the terminal has to tell, and starts over after every disconnect. What is said on one connection
is in :mod:`.conversation`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ea_bridge.peer import link
from ea_bridge.peer.conversation import LinkRefused, WrongDevice
from ea_bridge.protocol.messages import Pending

from .conversation import PULSE_S, Conversation
from .terminal import EmulatedTerminal

__all__ = ["Link", "LinkRefused", "WrongDevice"]


class Link(link.Link[Conversation]):
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
        def converse(on_ready: Callable[[], None]) -> Conversation:
            return Conversation(terminal, token, on_ready, on_pending or _ignore)

        super().__init__(converse, host, port, seed=seed)
        self._terminal = terminal

    async def run(self) -> None:
        """Dial, talk, and dial again, until cancelled or :meth:`stop`.

        Raises:
            LinkRefused: the daemon refuses the token, and has never let us in before.
            WrongDevice: another daemon than the one that let us in first knows the token.

        """
        guarding = asyncio.create_task(self._guard())
        try:
            await super().run()
        finally:
            guarding.cancel()

    async def _guard(self) -> None:
        """Enforce the lease, whether the daemon is there or not."""
        while True:
            await asyncio.sleep(PULSE_S)
            self._terminal.desk.lease.enforce()


def _ignore(_: Pending) -> None:
    """Nobody but the log is told."""
