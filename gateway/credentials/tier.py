"""Tiers: how much a token may do while its console is silent."""

from __future__ import annotations

import enum


class Tier(enum.IntEnum):
    """Each includes the lesser ones. A token without a console always has ``FULL``."""

    NONE = 0
    """Nothing: revoked, expired, or the console was silent for too long."""
    READ = 1
    """Read and listen."""
    REDUCE = 2
    """Also close positions, cancel orders, and move a stop loss closer to the market."""
    FULL = 3
    """All that the scopes allow."""
