"""What all callers of one terminal share, however many programs and tokens there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.audit import Audit

from .contingent.holding import Holding
from .filling import FillingMemory
from .journal import Journal
from .kill_switch.dead_man import DeadMan
from .kill_switch.disconnects import Connection, Disconnects
from .kill_switch.switch import KillSwitch, TerminalSwitch
from .risk.admission import Checks
from .symbols import SymbolNames
from .turns import Turns


@dataclass(kw_only=True)
class TradingDesk:
    """One terminal's desk; it outlives links and callers, and ends with the daemon."""

    turns: Turns = field(default_factory=Turns)
    """Who may change what is open there."""
    checks: Checks = field(default_factory=Checks)
    """What an order must pass, and what it takes of the limits."""
    symbols: SymbolNames = field(default_factory=SymbolNames)
    """What callers call the broker's symbols."""
    fillings: FillingMemory = field(default_factory=FillingMemory)
    """The filling modes that its broker takes."""
    switch: TerminalSwitch = field(default_factory=lambda: KillSwitch().of(""))
    """Whether trading is halted."""
    dead_man: DeadMan = field(default_factory=DeadMan)
    """Programs that are taken for dead when they say nothing for too long."""
    disconnects: Disconnects = field(default_factory=Disconnects)
    """Connections, and what becomes of their orders when they are lost."""
    audit: Audit = field(default_factory=Audit)
    """What is done is noted there."""
    journal: Journal = field(default_factory=Journal)
    """What was asked of the terminal, and what became of it."""
    contingent: Holding = field(default_factory=Holding)
    """Orders that the daemon keeps itself, and which cancel one another."""

    def heard(self, terminal: str, tid: str, connection: Connection | None) -> None:
        """A program has made a call, on a connection or over ``/rpc``: it is alive."""
        self.dead_man.heard(terminal, tid, self.disconnects.session_of(connection))
