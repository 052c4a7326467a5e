"""Terminals that are traded on: each with its broker's books, its link, and how it can fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ea_bridge.emulator.faults import Faults
from ea_bridge.emulator.link import Link
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Message

from .bots import Door, Intent, now_s, outcome_of
from .judge import Heard, Truth

KINDS: Mapping[str, Mapping[str, Any]] = {
    "hedging": {},
    "netting": {"netting": True},
    "mt4": {"platform": "mt4"},
}
"""The terminals, by name, and how each is built."""
PATIENCE_S = 60.0
"""For what is still unknown when everything is at peace."""
OPEN = frozenset({"unknown", "pending"})
ANSWERS_WITHIN_S = 60.0
"""A daemon at peace, on a machine that may be busy."""
BATCH = 50
CUTS = ("cut_before_ack", "cut_unacked", "cut_after_ack", "cut_after_result")
CRASHES = ("crash_before", "crash_after")
OPEN_ENDS = ("open_before", "open_after")
OTHERS = ("cut", "restart", "lose_result", "deals_lag", "delays")


class TradedTerminal:
    """A terminal, its bots' intents, and what became of them there."""

    def __init__(self, name: str, machine: EmulatedTerminal, link: Link, door: Door) -> None:
        self.name = name
        self.machine, self.link, self.door = machine, link, door
        account = machine.desk.account()
        self.account = (account.login, account.server)
        """Login and server, which the tags of its orders are made from."""
        self.truth = Truth(machine.desk.broker)
        self.intents: list[Intent] = []
        self.is_rough = False
        """The broker rewrites every comment; a terminal that dies has forgotten its results."""
        self.links: list[float] = []
        """When the terminal was let in, by the loop's clock."""
        link_ready = machine.link_ready

        def note(ack: int) -> list[Message]:
            self.links.append(now_s())
            return link_ready(ack)

        machine.link_ready = note  # type: ignore[method-assign]  # to see each link
        self.reconciled = set[str]()
        """Ids whose ends were found out, as far as they were asked for."""
        self._open: list[Intent] = []
        self._restart = machine.restart
        machine.restart = self._die  # type: ignore[method-assign]  # to see each death

    def begin(self, intent: Intent) -> None:
        """Take a new intent."""
        self.intents.append(intent)
        self._open.append(intent)

    def _die(self, *, lose_results: bool = False) -> None:
        # what was not sent may be under way again
        self._open = [one for one in self._open if one.end in (None, "not_sent")]
        for intent in self._open:
            intent.terminal_died = True
        self._restart(lose_results=lose_results)

    def misbehave(self, kind: str, dice: random.Random) -> None:
        """Let the terminal fail now, or with the next trade."""
        faults = self.machine.faults
        faults.rewrite_comment = 1_000_000 if self.is_rough else dice.choice((0, 1_000_000))
        forgets = self.is_rough or dice.random() < 0.5
        if kind == "cut":
            self.link.cut()
        elif kind == "restart":
            self.machine.restart(lose_results=forgets)
            self.link.cut()
        elif kind == "delays":
            faults.delay_result_ms = dice.choice((0, 0, 5, 100))
        else:
            setattr(faults, kind, getattr(faults, kind) + 1)
            faults.lose_memory = int(kind in CRASHES and forgets)

    def behave(self) -> None:
        """Fail no more."""
        for name, value in vars(Faults()).items():
            setattr(self.machine.faults, name, value)

    async def settle(self) -> None:
        """Wait until the fate of each order is known."""
        begun_s = now_s()
        waiting = {one.id: one for one in self.intents if one.end is None}
        while waiting:
            states = await self.states(waiting)
            for id_ in [id_ for id_ in waiting if states[id_] not in OPEN]:
                waiting.pop(id_).resolved_at_s = now_s()
            if now_s() > begun_s + PATIENCE_S:
                break
            await asyncio.sleep(0.2)

    async def heard(self) -> Heard:
        """Return what the daemon says of every order."""
        states = await self.states(one.id for one in self.intents)
        return Heard(states, self.reconciled, self.links)

    async def states(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Ask what became of each order."""
        params = [{"client_order_id": id_} for id_ in ids]
        found: dict[str, str | None] = {}
        for start in range(0, len(params), BATCH):
            batch = params[start : start + BATCH]
            answers = await self.door.ask_all("get_order", batch, ANSWERS_WITHIN_S)
            for one, answer in zip(batch, answers, strict=True):
                found[one["client_order_id"]] = outcome_of(answer)
                if answer.get("result", {}).get("reconciled"):
                    self.reconciled.add(one["client_order_id"])
        return found


Begin = Callable[[Intent], bool]
"""Called with each new intent; says whether it is to be carried out."""
