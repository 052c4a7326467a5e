"""Watcher of orders that hang on something else: one another, or a price of the market."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..accounts import PATIENCE_S
from ..bots import now_s
from ..contingent_truth import HeldTruth, LinkTruth
from ..plugins import Watcher, watcher

if TYPE_CHECKING:
    from ..world import World


LOOK_S = 1.0


@watcher
class ContingentWatcher(Watcher):
    """Compares what a daemon has kept at the end with what the brokers did."""

    def __init__(self, world: World) -> None:
        super().__init__(world)

    async def rest(self) -> None:
        """Wait for what nobody knows yet of limit orders that were sent for held ones.

        Their outcome has no caller who would wait for it, and may take as long as any other.
        """
        until_s = now_s() + PATIENCE_S  # what is wrong with them then is told at the end
        # the ledger tells nobody of its rows
        while self._is_sending() and now_s() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)

    def _is_sending(self) -> bool:
        """Whether an order still is at its attempt, found out or not: it asks again by itself."""
        held = HeldTruth(self.world.daemons.gateway.ledger)
        return any(one.stage == "sending" for one in held.rows.values())

    def at_end(self) -> None:
        """Compare."""
        ledger, verdict = self.world.daemons.gateway.ledger, self.world.run.verdict
        held = HeldTruth(ledger)
        links = LinkTruth(ledger, held)
        for terminal in self.world.terminals.values():
            if terminal.partner is not None:
                continue
            account, truth = terminal.account, terminal.truth
            for said in held.faults(account, truth):
                verdict.breach("a stop-limit order sends its limit once", said)
            verdict.lost += held.unknown(account)
            for said in links.faults(account, truth.broker, terminal.books.asked.links):
                verdict.breach("the first of linked orders cancels the others", said)
        self._count(held, links)

    def _count(self, held: HeldTruth, links: LinkTruth) -> None:
        sometimes = self.world.sometimes
        points = {
            "contingent: held order became a limit": any(one.placed for one in held.rows.values()),
            "contingent: link took its other order": any(
                one.state == "done" for one in links.links.values()
            ),
            "contingent: both orders filled": bool(links.both_filled),
        }
        for name, has_happened in points.items():
            if has_happened:
                sometimes(name)
