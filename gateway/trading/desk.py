"""What all callers of one terminal share, however many programs and tokens there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from .turns import Turns


@dataclass(kw_only=True)
class TradingDesk:
    """One terminal's desk; it outlives links and callers, and ends with the daemon."""

    turns: Turns = field(default_factory=Turns)
    """Who may change what is open there."""
