"""What all callers of one terminal share, however many programs and tokens there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.audit import Audit

from .checks.admission import Checks
from .journal import Journal
from .kill_switch.switch import KillSwitch, TerminalSwitch
from .turns import Turns


@dataclass(kw_only=True)
class TradingDesk:
    """One terminal's desk; it outlives links and callers, and ends with the daemon."""

    turns: Turns = field(default_factory=Turns)
    """Who may change what is open there."""
    checks: Checks = field(default_factory=Checks)
    """What an order must pass, and what it takes of the limits."""
    switch: TerminalSwitch = field(default_factory=lambda: KillSwitch().of(""))
    """Whether trading is halted."""
    audit: Audit = field(default_factory=Audit)
    """What is done is noted there."""
    journal: Journal = field(default_factory=Journal)
    """What was asked of the terminal, and what became of it."""
