"""What stops trading, and what it has done."""

from __future__ import annotations

from typing_extensions import TypedDict

from .words import shape


@shape
class Halt(TypedDict):
    """Trading is halted, by somebody, since some time."""

    everywhere: bool
    """Of all terminals, not of this one alone."""
    armed_by: str
    """`cli`, or `token` and its public id."""
    since: int
    """UTC milliseconds."""
    reason: str
    """What was said; may be empty."""
    reductions: bool
    """Closing, cancelling and tightening stops go on."""
    by_admin: bool
    """Only `mt-gateway resume`, or a token of the scope `admin`, lifts it."""


@shape
class TradingEnabled(TypedDict):
    """Whether new exposure may be sent."""

    trading_enabled: bool
    """No halt is there."""
    halts: list[Halt]
    """What has to be lifted before trading goes on: the terminal's own, then that of all."""
