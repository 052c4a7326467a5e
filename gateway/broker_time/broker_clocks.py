"""The broker's clock of each terminal, fed by its heartbeats and begun anew with its account."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from ea_bridge.host import boot_ms, wall_ms
from ea_bridge.registry import ChangeKind, TerminalChange
from ea_bridge.session import TerminalSession
from gateway.broker_time.clock import BrokerClock

Told = Callable[[str], None]
"""Called with the name of a terminal whose clock means something else now."""
_LINKED = (ChangeKind.ACCOUNT_CHANGED, ChangeKind.CONNECTED)


class BrokerClocks:
    """The broker's clocks; there are as many as tokens were ever named."""

    def __init__(self) -> None:
        self._clocks = defaultdict[str, BrokerClock](BrokerClock)

    def of(self, terminal: str) -> BrokerClock:
        """Return that of a terminal, which stays the same whatever it is logged in to."""
        return self._clocks[terminal]

    def linked(self, told: Told, change: TerminalChange) -> None:
        """Take a terminal's link: it may be logged in to another broker now.

        It must be known before the first command is sent, which notes what the clock shows.
        """
        if change.kind not in _LINKED:
            return
        terminal, hello = change.facts.terminal, change.facts.hello
        if self.of(terminal).of_account(hello.login, hello.server):
            # when all others have heard of the link, too
            asyncio.get_running_loop().call_soon(told, terminal)

    def beat(self, told: Told, session: TerminalSession, tcur: int, tgmt: int) -> None:
        """Take a heartbeat."""
        clock = self.of(session.terminal)
        clock.see(tcur, boot_ms())
        clock.compare(tgmt, wall_ms())
        if clock.observe(tcur, tgmt):
            told(session.terminal)
