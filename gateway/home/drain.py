"""Drain of a running gateway: it waits until the trades under way have ended, when its home asks.

:mod:`.drain_file` is how the home asks; meanwhile :mod:`gateway.trading.kill_switch.switch`
refuses orders.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ea_bridge.host import wall_ms
from gateway.audit.recorder import Audit
from gateway.background import next_look
from gateway.home import drain_file
from gateway.storage.ledger import Ledger
from gateway.trading.kill_switch.switch import Drain, DrainStage

LOOK_S = 0.25
"""How often a request to drain is looked for."""
POLL_S = 0.02
"""How often the gateway looks, while it drains, whether something is under way: a program that
closes one position after the other must not hide the moments between."""

logger = logging.getLogger(__name__)


async def drained(
    folder: Path, drain: Drain, under_way: Callable[[], int], *, audit: Audit, ledger: Ledger
) -> None:
    """Return once the home has asked to drain, and nothing is under way any more.

    Args:
        folder: the home.
        drain: its stage is set here.
        under_way: counts the trades that have begun and not ended.
        audit: takes what begins, ends, or is lifted.
        ledger: looked at as well, since it ends a gateway too.

    Raises:
        StoreError: the ledger is damaged.

    """

    def note(what: Literal["begun", "done", "lifted"]) -> None:
        trades = under_way()
        logger.warning("drain %s: %d under way", what, trades)
        audit.record("drain", actor="cli", reason=what, under_way=trades)

    while True:
        await next_look(LOOK_S)
        if ledger.damage is not None:
            raise ledger.damage
        while drain_file.is_asked(folder, os.getpid(), wall_ms()):
            if drain.stage is DrainStage.OPEN:
                drain.stage = DrainStage.DRAINING
                note("begun")
            # no await stands between this look, the claim and the closed door
            if not under_way() and drain_file.take(folder):
                drain.stage = DrainStage.CLOSED
                note("done")
                return
            await asyncio.sleep(POLL_S)
        if drain.stage is DrainStage.DRAINING:
            drain.stage = DrainStage.OPEN
            note("lifted")
