"""Watcher of a terminal at which a person settles orders that nobody knows the end of."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

from ..accounts import ANSWERS_WITHIN_S, PATIENCE_S
from ..bots import now_s
from ..by_hand_rules import HandRules, faults_of_settled
from ..intents import Intent, Json
from ..judge import TAGGED
from ..plugins import FAULTS, Watcher, watcher
from ..receipts import is_void
from ..truth import Executed
from .journal_watcher import JournalWatcher
from .streams import Streams

if TYPE_CHECKING:
    from ..subscribers import Subscriber
    from ..world import World

BY_HAND = "by-hand"
"""The name of the terminal."""
LOOK_S = 0.5
TOLD_WITHIN_S = 2.0
"""After an end is on the disk: what comes later was told later."""


@watcher
class HandWatcher(Watcher):
    """Judges what becomes of the orders that are settled, and what is told of them."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.fails = world.options.kills_every > 0
        """Whether the terminal may fail now."""
        self.magics = itertools.count(100)
        """For orders of which no two are alike."""
        self.accuse = partial(world.invariants.broken, "by hand")
        self.rules = HandRules(self.accuse)
        self._commands: dict[str, list[int]] = {}
        self._context = world.context("subscribers")
        """Of what goes on when the daemon is dead."""
        self._telling: list[asyncio.Task[None]] = []
        self._records: dict[str, Json] = {}

    def on_peace(self) -> None:
        """Let the terminal fail no more."""
        self.fails = False

    def on_note(self, entry: Any) -> None:
        """Judge an entry about one of the orders."""
        if entry["event"] != "order" or entry["terminal"] != BY_HAND:
            return
        terminal, id_ = self.world.terminals[BY_HAND], entry["object"]
        said, sends = entry.get("settlement"), entry.get("sends") or ()
        if entry.get("command_id") is not None:
            self._commands.setdefault(id_, []).append(entry["command_id"])
        commands = terminal.truth.commands
        is_executed = any(one["command_id"] in commands for one in sends)
        if self.rules.note(entry, is_executed=is_executed):
            told = self._watcher(JournalWatcher).told
            told.contradict(terminal.account, id_, said["outcome"], said.get("ticket"))
        if said is not None:
            self._see_told(id_, entry["state"])

    # --- what streams are told -----------------------------------------------------------------

    def _see_told(self, id_: str, state: str) -> None:
        """See that whoever listens hears of an end, if the way to it holds."""
        for one in self._watcher(Streams).subscribers:
            epoch = _epoch(one)
            if epoch:
                telling = self._hears(one, epoch, id_, state)
                task = self.world.loop.create_task(telling, context=self._context)
                self._telling.append(task)

    async def _hears(self, one: Subscriber, epoch: str, id_: str, state: str) -> None:
        """Wait until a subscriber hears of an end, or of something that was told later."""
        world, session = self.world, one.session
        life, since_s = world.daemons.present, world.loop.now
        while one.session is session and _epoch(one) == epoch and world.daemons.present == life:
            ends = self._watcher(Streams).record.settled.of(id_)
            if any(end.outcome == state and end.is_by_hand for end in ends):
                world.sometimes("by hand: told to streams")
                return
            if session is not None and session.wire.heard_s > since_s + TOLD_WITHIN_S:
                self.accuse(f"{one.name} was there, and has not heard that {id_} is {state}")
                return
            await asyncio.sleep(LOOK_S)

    # --- the end -------------------------------------------------------------------------------

    async def rest(self) -> None:
        """Wait until each wrong statement of a person is contradicted, or ``PATIENCE_S`` is
        over.
        """
        if BY_HAND not in self.world.terminals:
            return
        until_s = now_s() + PATIENCE_S
        while True:
            await self._ask()
            if now_s() > until_s or not any(map(self._faults, self._settled())):
                break
            await asyncio.sleep(LOOK_S)
        await asyncio.gather(*self._telling)

    async def _ask(self) -> None:
        client, ids = self.world.terminals[BY_HAND].client, [one.id for one in self._settled()]
        params = [{"client_order_id": one} for one in ids]
        answers = await client.ask_all("get_order", params, ANSWERS_WITHIN_S)
        for id_, answer in zip(ids, answers, strict=True):
            self._records[id_] = answer["result"]

    def at_end(self) -> None:
        """Judge what was settled; leave the rest to who judges all other orders."""
        terminal = self.world.terminals.get(BY_HAND)
        if terminal is None:
            return
        settled = self._settled()
        for intent in settled:
            for said in self._faults(intent):
                self.accuse(said)
            if self._records[intent.id]["settlement"]["time_contradicted"] is None:
                self.world.sometimes("by hand: word has stayed")
        books = terminal.books
        books.intents[:] = [one for one in books.intents if one not in settled]

    def _settled(self) -> list[Intent]:
        intents = self.world.terminals[BY_HAND].intents
        return [one for one in intents if one.id in self.rules.said]

    def _faults(self, intent: Intent) -> list[str]:
        truth, record = self.world.terminals[BY_HAND].truth, self._records[intent.id]
        executed = self.executed(intent, [one["command_id"] for one in record["sends"]])
        void = bool(executed) and is_void(executed[0], truth.broker)
        shows = bool(executed) and not void and self._is_shown(intent, executed[0])
        return list(faults_of_settled(intent, record, executed, is_void=void, shows=shows))

    def commands_of(self, id_: str) -> list[int]:
        """Return the ids of the commands that were journaled for an order."""
        return self._commands.get(id_, [])

    def executed(self, intent: Intent, commands: list[int]) -> list[Executed]:
        """Return what the broker has carried out of an order."""
        truth = self.world.terminals[BY_HAND].truth
        if intent.method in TAGGED:
            return list(truth.tagged.get(intent.tag, ()))
        return [one for command in commands for one in truth.commands.get(command, ())]

    def _is_shown(self, intent: Intent, executed: Executed) -> bool:
        """Whether the broker shows an order with its tag, and the gateway has looked for it all
        the time: it does so for a day, by a clock that was not set."""
        faults = self.world.run.figures.faults
        if intent.method != "place_order" or any(_is_of_clocks(name) for name in faults):
            return False
        broker, ticket = self.world.terminals[BY_HAND].truth.broker, executed.result.order
        shown = (*broker.orders(None, ticket), *broker.history_orders(ticket=ticket))
        return any(one.comment.startswith(intent.tag) for one in shown)

    def _watcher(self, kind: type[Any]) -> Any:
        return next(one for one in self.world.watchers if isinstance(one, kind))


def hand_watcher(world: World) -> HandWatcher:
    """Return the one of a world."""
    return next(one for one in world.watchers if isinstance(one, HandWatcher))


def _epoch(one: Subscriber) -> str:
    """Return the epoch of the orders that a subscriber hears of; empty: it hears of none."""
    copy = one.copy_of("orders") if one.listened.name == BY_HAND else None
    return "" if copy is None else copy.epoch


def _is_of_clocks(name: str) -> bool:
    fault = FAULTS.get(name)
    return fault is not None and fault.happen.__module__.endswith(".clocks")
