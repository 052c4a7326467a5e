"""Sources of the EAs, by platform, and where their includes are."""

from __future__ import annotations

from pathlib import Path

BRIDGE = Path(__file__).parents[2] / "ea_bridge"
MAINS = {
    "mt5": BRIDGE / "mql5" / "Experts" / "TerminalGateway.mq5",
    "mt4": BRIDGE / "mql4" / "Experts" / "TerminalGateway.mq4",
}
INCLUDES = {
    "mt5": (BRIDGE / "mql5" / "Include",),
    "mt4": (BRIDGE / "mql4" / "Include", BRIDGE / "mql5" / "Include"),
}
