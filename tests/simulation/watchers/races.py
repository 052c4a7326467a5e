"""Watcher of linked orders: where one has ended, it sees that the others are cancelled in time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from logging import LogRecord
from typing import TYPE_CHECKING, Any

from ea_bridge.session import SessionState
from gateway.trading.requests import FIRST_HELD

from ..contingent_truth import fate_of
from ..plugins import Watcher, watcher
from ..race_rules import MAX_LOOKS, MAX_ROUGH_LOOKS, RaceRules

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World

LOOK_S = 0.5
LAST_FAULT_S = 30.0
"""How long what has failed may last once nothing fails any more."""
TOLD = "%s: order %d is not cancelled: %s"
FAULTED = frozenset(
    {
        "a task failed; it is tried again",
        "a task is put off: %s",
        "%s: linked orders are not looked at: %s",
    }
)
"""What is logged where nothing can be done about any linked orders."""


@watcher
class RaceWatcher(Watcher):
    """Looks at all accounts every now and then."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        accuse = partial(world.invariants.broken, "races")
        firsts = [one for one in world.terminals.values() if one.partner is None]
        self._of = {one.name: RaceRules(accuse, world.sometimes) for one in firsts}
        self._accounts = {
            one.name: [each for each in world.terminals.values() if each.books is one.books]
            for one in firsts
        }
        """The terminals of each account, by the name of the first."""
        self._sessions: dict[str, Sequence[Any]] = {}
        if world.options.kills_every:
            self._allow(MAX_ROUGH_LOOKS)
        context = world.context("races")
        self._looking = world.loop.create_task(self._look_always(), context=context)

    def on_peace(self) -> None:
        """Demand more when the last fault is over."""
        self.world.loop.call_later(LAST_FAULT_S, self._allow, MAX_LOOKS)

    def _allow(self, looks: int) -> None:
        for rules in self._of.values():
            rules.excuse_all()
            rules.max_looks = looks

    def on_record(self, record: LogRecord) -> None:
        """Take what is told to have failed."""
        if record.msg == TOLD and isinstance(record.args, tuple):
            for rules in self._of.values():
                rules.excuse(str(record.args[0]))
        elif record.msg in FAULTED:
            for rules in self._of.values():
                rules.excuse_all()

    def before_ask(self, terminal: TradedTerminal, message: Any, life: int) -> None:
        """Take that orders are about to be unlinked."""
        if isinstance(message, dict) and message["method"] == "unlink_oco":
            for rules in self._of.values():
                rules.forget(message["params"]["id"])

    def at_end(self) -> None:
        """Look no more."""
        self._looking.cancel()

    async def _look_always(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for name, terminals in self._accounts.items():
                self._look(name, terminals)

    def _look(self, name: str, terminals: Sequence[TradedTerminal]) -> None:
        rules, broker = self._of[name], terminals[0].truth.broker
        sessions = self._live(terminals)
        before, self._sessions[name] = self._sessions.get(name), sessions
        if not sessions or sessions != before:
            rules.excuse_all()
            return

        def end(ticket: int) -> str | None:
            fate = None if ticket >= FIRST_HELD else fate_of(broker, ticket)
            return None if fate is None else fate.end

        rules.look(terminals[0].books.asked.links.items(), end)

    def _live(self, terminals: Sequence[TradedTerminal]) -> Sequence[Any]:
        """Return the sessions of an account's terminals; none unless all are there."""
        daemons = self.world.daemons
        if not daemons.present or not daemons.is_serving:
            return ()
        found = [daemons.gateway.registry.get(one.name) for one in terminals]
        ready = [
            one
            for one in found
            if one is not None and one.state is SessionState.READY and one.broker is True
        ]
        return ready if len(ready) == len(terminals) else ()
