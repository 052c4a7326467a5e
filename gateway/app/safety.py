"""What stops trading, wired to the daemon's other parts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.ledger import Ledger
from gateway.trading.kill_switch.switch import KillSwitch

logger = logging.getLogger(__name__)


class Safety:
    """The kill switch and all that pulls it, while the gateway runs."""

    def __init__(self, ledger: Ledger) -> None:
        self.switch = KillSwitch(ledger)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Do what has to be done by time, while the context lasts."""
        watching = asyncio.create_task(self.switch.watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait((watching,))
