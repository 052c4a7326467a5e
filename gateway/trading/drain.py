"""Drain: the gateway takes no new order, finishes what is under way, and then stops.

=============  ==================================================================================
Stage          What goes through
=============  ==================================================================================
``open``       everything
``draining``   what takes risk away: closing, cancelling, tightening of stops
``closed``     nothing: the gateway stops; no bytes of a trade are written any more
=============  ==================================================================================

The kill switch asks it at each of its own looks (:meth:`.switch.TerminalSwitch.check`), the last
of which stands right before the bytes of a trade: an order that is refused was surely not sent.
"""

from __future__ import annotations

from enum import Enum

from gateway.credentials.lease import Tier
from gateway.errors import ShuttingDown

RETRY_MS = 5_000
"""When a caller may ask again: by then the gateway has stopped, or goes on, or still drains."""


class DrainStage(Enum):
    """Stage of a drain."""

    OPEN = "open"
    DRAINING = "draining"
    CLOSED = "closed"


class Drain:
    """The stage of one gateway; for the loop's thread. Nothing of it outlives the process."""

    def __init__(self) -> None:
        self.stage = DrainStage.OPEN

    def check(self, tier: Tier) -> None:
        """Refuse what does not go through at this stage. It neither waits nor blocks.

        Raises:
            ShuttingDown: ``retryable``; the next gateway, or this one if it goes on, takes it.

        """
        if self.stage is DrainStage.OPEN:
            return
        if self.stage is DrainStage.CLOSED or tier > Tier.REDUCE:
            raise ShuttingDown(
                "The gateway finishes the orders that are under way, and then stops: "
                "send the same order again to the one that runs after it",
                reason="drain",
                retry_after_ms=RETRY_MS,
            )
