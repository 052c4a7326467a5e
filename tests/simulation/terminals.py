"""Terminals that are traded on: each with its broker's books, its link, and how it can fail."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Message
from ea_bridge.simulation.broker.terms import Switches
from ea_bridge.simulation.faults import EmulatedFaults

from .accounts import TradedAccount
from .bots import TerminalClient, now_s
from .intents import Intent
from .shared_account import broker_of
from .truth import Truth

KINDS: Mapping[str, Mapping[str, Any]] = {
    "hedging": {},
    "netting": {"netting": True},
    "mt4": {"platform": "mt4"},
}
"""The terminals with an account of their own, by name, and how each is built."""
CUTS = ("cut_before_ack", "cut_unacked", "cut_after_ack", "cut_after_result")
CRASHES = ("crash_before", "crash_after")
OPEN_ENDS = ("open_before", "open_after")
OTHERS = ("cut", "restart", "lose_result", "deals_lag", "delays")


class TradedTerminal:
    """A terminal on which bots trade, and how it can fail.

    Args:
        partner: another one that is logged in to the same account.

    """

    def __init__(
        self,
        name: str,
        machine: EmulatedTerminal,
        link: EmulatedLink,
        client: TerminalClient,
        partner: TradedTerminal | None = None,
    ) -> None:
        self.name, self.partner = name, partner
        self.machine, self.link, self.client = machine, link, client
        account = machine.handler.account()
        self.account = (account.login, account.server)
        """Login and server, which the tags of its orders are made from."""
        self.books: TradedAccount = (
            TradedAccount(broker_of(machine)) if partner is None else partner.books
        )
        """What was traded on its account."""
        self.books.truth.follow(machine)
        self.is_rough = False
        """The broker rewrites every comment; a terminal that dies has forgotten its results."""
        self.links: list[float] = []
        """When the terminal was let in, by the loop's clock."""
        link_ready = machine.link_ready

        def note(ack: int) -> list[Message]:
            self.links.append(now_s())
            self.books.links.append(now_s())
            return link_ready(ack)

        machine.link_ready = note  # type: ignore[method-assign]  # to see each link
        self.before_death: Callable[[], None] = lambda: None
        """Called when the terminal dies, before it begins anew."""
        self._restart = machine.restart
        machine.restart = self._die  # type: ignore[method-assign]  # to see each death

    @property
    def truth(self) -> Truth:
        """What its broker has executed."""
        return self.books.truth

    @property
    def intents(self) -> list[Intent]:
        """What bots wanted of its account."""
        return self.books.intents

    async def states(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Return what became of some orders, as the daemon says it by this terminal."""
        known = await self.books.known(self.client, ids)
        return {id_: one.outcome for id_, one in known.items()}

    def be_rough(self) -> None:
        """Rewrite every comment from now on, and forget all results at each death."""
        self.is_rough = True
        self.machine.faults.rewrite_comment = 1_000_000

    def _die(self, *, lose_results: bool = False) -> None:
        self.books.died()
        self.before_death()
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

    def stand_still(self) -> None:
        """Have its market move no more."""
        market: Any = self.machine._market
        market.stand_still()

    def behave(self) -> None:
        """Fail no more."""
        for name, value in vars(EmulatedFaults()).items():
            setattr(self.machine.faults, name, value)
        broker = self.truth.broker
        for name, value in vars(Switches()).items():
            setattr(broker.switches, name, value)
        for planned in (broker.script.refusals, broker.script.delays_ms, broker.script.volumes):
            planned.clear()
        broker.script.most_lots = None


Begin = Callable[[Intent], bool]
"""Called with each new intent; says whether it is to be carried out."""
