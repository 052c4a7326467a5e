"""Accounts that are traded on: what bots wanted of them, what they were told, and the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from ea_bridge.simulation.broker import Broker
from gateway.trading.reconcile.patience import MAX_DENSE_S
from gateway.trading.reconcile.service import PAUSES_S

from .believed_holdings import BelievedHoldings
from .bots import TerminalClient, now_s
from .extra_requests import Asked
from .intents import Intent, Json
from .judge import Heard, Known
from .sweeps import SweepJudge
from .truth import Truth

PATIENCE_S = 2 * (MAX_DENSE_S + PAUSES_S[-1])
"""For what is still unknown when everything is at peace: a second look has to come, and for an
order that is days old by then, as after a weekend, the reconciler makes the longest pauses."""
OPEN = frozenset({"unknown", "pending"})
ANSWERS_WITHIN_S = 60.0
"""A daemon at peace, on a machine that may be busy."""
LEAST_POLL_S, POLL_SHARE = 0.2, 0.1
"""Between two looks at what is still unknown: a share of how long that has been waited for, so
that the few that take minutes do not cost most of a run's requests."""
LAST = ("symbol", "type", "volume")
"""What is compared of an order's last command."""


class TradedAccount:
    """An account, on one terminal or on several."""

    def __init__(self, broker: Broker) -> None:
        self.truth = Truth(broker)
        self.sweeps = SweepJudge(broker)
        self.asked = Asked()
        """What bots asked for beside orders."""
        self.common = BelievedHoldings()
        """For which bots race with one another."""
        self.intents: list[Intent] = []
        self.links: list[float] = []
        """When one of its terminals was let in, by the loop's clock."""
        self._open: list[Intent] = []

    def begin(self, intent: Intent) -> None:
        """Take a new intent."""
        self.intents.append(intent)
        self._open.append(intent)

    def died(self) -> None:
        """One of its terminals has died."""
        # what was not sent may be under way again
        self._open = [one for one in self._open if one.end in (None, "not_sent")]
        for intent in self._open:
            intent.terminal_died = True

    def broken(self) -> Iterator[tuple[str, str]]:
        """Return the rules that did not hold, and what was seen."""
        yield from (("a sweep names what it has not done", one) for one in self.sweeps.wrong)
        yield from (("a trailing stop only tightens", one) for one in self.truth.loosened)
        yield from (("what comes too late is not begun", one) for one in self.truth.late)
        yield from (("what is only checked is not sent", one) for one in self.asked.wrong)

    async def settle(self, client: TerminalClient) -> None:
        """Wait until the fate of each order is known.

        What was told not to be sent may be under way again: by a try whose bot has not waited for
        the answer.
        """
        begun_s = now_s()
        waiting = {one.id: one for one in self.intents if one.end in (None, "not_sent")}
        while waiting:
            known = await self.known(client, waiting)
            for id_ in [id_ for id_ in waiting if known[id_].outcome not in OPEN]:
                intent = waiting.pop(id_)
                intent.resolved_at_s = intent.resolved_at_s or now_s()
            waited_s = now_s() - begun_s
            if waited_s > PATIENCE_S:
                break
            await asyncio.sleep(max(LEAST_POLL_S, waited_s * POLL_SHARE))

    async def heard(self, client: TerminalClient) -> Heard:
        """Return what the daemon says of every order."""
        return Heard(await self.known(client, [one.id for one in self.intents]), self.links)

    async def known(self, client: TerminalClient, ids: Iterable[str]) -> dict[str, Known]:
        """Ask what became of some orders."""
        params = [{"client_order_id": id_} for id_ in ids]
        answers = await client.ask_all("get_order", params, ANSWERS_WITHIN_S)
        return {
            one["client_order_id"]: known_of(answer)
            for one, answer in zip(params, answers, strict=True)
        }


def known_of(response: Json) -> Known:
    """Read a response of ``get_order``."""
    if "error" in response:
        return Known(None)
    record = response["result"]
    return Known(
        record["outcome"],
        record["reconciled"],
        tuple(sent["command_id"] for sent in record["sends"]),
        (record["error"] or {}).get("message", ""),
        tuple(record["sends"][-1][name] for name in LAST) if record["sends"] else (),
    )
