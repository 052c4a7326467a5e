"""Safeguards of all terminals: the kill switch, and timers for lost programs."""

from __future__ import annotations

from dataclasses import dataclass, field

from .dead_man import DeadMan
from .disconnects import ClientConnection, Disconnects
from .switch import KillSwitch


@dataclass(kw_only=True)
class Safeguards:
    """The kill switch and the timers that sweep for programs that fall silent."""

    switch: KillSwitch = field(default_factory=KillSwitch)
    """Trading is halted there."""
    dead_man: DeadMan = field(default_factory=DeadMan)
    """Programs that are taken for dead when they say nothing for too long."""
    disconnects: Disconnects = field(default_factory=Disconnects)
    """Connections, and what becomes of their orders when they are lost."""

    def heard(self, terminal: str, tid: str, connection: ClientConnection | None) -> None:
        """Note that a program is alive: it has made a call, on a connection or over ``/rpc``."""
        self.dead_man.heard(terminal, tid, self.disconnects.session_of(connection))
