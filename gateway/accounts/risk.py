"""The risk settings of an owner: rules for all of the owner's accounts. All are off at first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSettings:
    """Rules, each with its switch."""

    drawdown_check_enabled: bool = False
    max_drawdown_pct: float = 10.0
    """``(balance - equity) / balance`` in percent at which trading stops."""
    position_limit_enabled: bool = False
    max_open_positions: int = 5
    """Of one account."""
    rate_limit_enabled: bool = False
    rate_limit_max_trades: int = 3
    """Of one symbol, within the window."""
    rate_limit_window_hours: float = 4.0
    hedging_allowed: bool = True
