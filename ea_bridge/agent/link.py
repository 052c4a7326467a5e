"""Link of an agent: it dials the daemon while there is a terminal, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ea_bridge.endpoint.conversation import PeerConversation
from ea_bridge.endpoint.link import PeerLink
from ea_bridge.protocol.connection import TERMINAL, Connection
from ea_bridge.protocol.messages import Busy, Bye, Cmd, Hb, Hello, Pending, Welcome

from .terminal import AgentTerminal

BUSY_MS = 60_000
"""The limit that is told when the terminal loads history, as by the EA."""


class AgentConversation(PeerConversation):
    """One TCP connection to the daemon, from the first byte to the last.

    Args:
        terminal: what is asked and what tells.
        token: the terminal's secret.
        on_ready: called when the daemon has let us in.
        on_pending: called when this machine waits for approval, and after each wrong code.

    """

    def __init__(
        self,
        terminal: AgentTerminal,
        token: str,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        super().__init__(Connection(TERMINAL), token, terminal.pin, on_ready, on_pending)
        self.identity = (0, "")
        """The account that the hello has named."""
        self._terminal = terminal
        self._is_busy_told = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._terminal.identity is None:  # gone since it was dialled
            transport.close()
            return
        super().connection_made(transport)

    def leave(self, code: str) -> None:
        """Say goodbye, and why."""
        self.say(Bye(code=code))
        self.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._terminal.pause(paused=True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._terminal.pause(paused=False)

    def _introduce(self, tid: str, cnonce: str) -> Hello:
        hello = self._terminal.hello(tid, cnonce)
        self.identity = (hello.login, hello.server)
        return hello

    def _started(self, welcome: Welcome) -> None:
        if self._terminal.identity != self.identity:
            self.leave("account_changed")
            return
        self.say(*self._terminal.link_ready(self, welcome.ack))

    def _heard(self, hb: Hb) -> None:
        self._terminal.acknowledged(hb.ack)
        self._terminal.renew(hb.lease_ms)

    def _lost(self) -> None:
        self._terminal.link_lost(self)

    def _obey(self, cmd: Cmd) -> None:
        self._terminal.execute(cmd, self)

    def _pulse(self, n: int) -> Hb | None:
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        hb = self._terminal.heartbeat(n, unsent)
        if hb is None and self._terminal.is_loading and not self._is_busy_told:
            # once: from then on silence says the same
            self._is_busy_told = True
            self.say(Busy(ms=BUSY_MS))
        elif hb is not None:
            self._is_busy_told = False
        return hb


class AgentLink(PeerLink[AgentConversation]):
    """Link that keeps the terminal behind the package connected to a daemon until told to stop.

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
        terminal: AgentTerminal,
        host: str,
        port: int,
        token: str,
        *,
        seed: int = 0,
        on_pending: Callable[[Pending], None] = lambda _: None,
    ) -> None:
        def converse(on_ready: Callable[[], None]) -> AgentConversation:
            return AgentConversation(terminal, token, on_ready, on_pending)

        super().__init__(converse, host, port, seed=seed)
        self._terminal = terminal

    async def _converse(self) -> float | None:
        # without a terminal there is nobody to introduce
        await self._terminal.available()
        return await super()._converse()
