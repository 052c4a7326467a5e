"""Subscribers of the streams, who see that what they are told is what the brokers did."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from ea_bridge.token import parse_token

from ..accounts import ANSWERS_WITHIN_S, known_of
from ..plugins import Watcher, watcher
from ..stream_judge import StreamRecord
from ..stream_session import ListenedTerminal
from ..stream_truth import TerminalTruth
from ..subscribers import Place, Subscriber
from ..terminals import TradedTerminal
from ..world import World
from .paper import ON_PAPER

COUNT = 3
REST_S = 2.0
"""At the end, until all that is under way has come."""


@watcher
class Streams(Watcher):
    """A few subscribers on one computer; each takes one terminal after the other."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._begun: set[int] = set()
        self.record = StreamRecord(
            partial(world.invariants.broken, "streams"),
            world.sometimes,
            may_keep=lambda life: life not in self._begun or life in world.daemons.stopped,
        )
        self._place = Place()
        listened = [
            ListenedTerminal(
                name, world.tokens, world.spare_tokens, world.expiries, TerminalTruth(one.machine)
            )
            for name, one in world.terminals.items()
            if name != ON_PAPER  # there is no broker's book of what is told there
        ]
        self.subscribers = [
            Subscriber(name, listened, self._place, self.record, world.dice(name))
            for name in (f"subscriber {number}" for number in range(COUNT))
        ]
        context = world.context("subscribers")
        self._listening = [
            world.loop.create_task(one.run(), context=context) for one in self.subscribers
        ]

    def after_life_begins(self, life: int, ready: Any) -> None:
        """Tell all where the daemon is."""
        self._begun.add(life)
        self._place.port = int(ready["ws"].split(":")[2].split("/")[0])
        self._place.life = life

    def on_revoked(self, tid: str) -> None:
        """Tell those who listen with a token that it was ended."""
        for one in self.subscribers:
            if one.session is not None and parse_token(one.session.token) == tid:
                one.session.note_revoked()

    async def rest(self) -> None:
        """Let all hear the last; compare what they know, and what became of what was unknown."""
        await asyncio.gather(*(one.rest() for one in self.subscribers))
        await asyncio.sleep(REST_S)
        for one in self.subscribers:
            one.finish()
        for task in self._listening:
            task.cancel()
        for terminal in self.world.terminals.values():
            if terminal.partner is None:  # another one tells the same of their account
                await self._compare_settled(terminal)

    async def _compare_settled(self, terminal: TradedTerminal) -> None:
        ends = self.record.settled.last()
        ids = [one.id for one in terminal.intents if one.id in ends]
        asked = [{"client_order_id": id_} for id_ in ids]
        answers = (
            await terminal.client.ask_all("get_order", asked, ANSWERS_WITHIN_S) if ids else []
        )
        for id_, answer in zip(ids, answers, strict=True):
            state = known_of(answer).outcome
            if state != ends[id_] and not _is_contradicted(answer):
                said = f"{id_} was told to be {ends[id_]}, and is {state}"
                self.record.accuse(terminal.name, said)


def _is_contradicted(answer: Mapping[str, Any]) -> bool:
    """Whether a person's word about an order did not hold: it may be that nobody listened then.

    That those hear of it who do listen is a rule of :mod:`..by_hand_rules`.
    """
    settlement = (answer.get("result") or {}).get("settlement") or {}
    return settlement.get("time_contradicted") is not None
