"""Rules of orders that persons settle: a word counts until the terminal says otherwise.

What the audit trail says of them is judged entry by entry: only what is unknown is settled, once,
and it is never sent again; who is contradicted was wrong. At the end each has the end that its
person has said, or the true one if that was told to be another; and it is another where the broker
shows the order with its tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .intents import ENDS, Intent
from .truth import Executed

Json = Mapping[str, Any]

OPEN = frozenset({"unknown", "pending"})
UNSETTLED = frozenset({"unknown", "journaled"})
"""States of orders whose end nobody knows; of the second kind once their daemon has died, or could
not write that it does not know."""


class HandRules:
    """What the audit trail says of the orders at one terminal.

    Args:
        accuse: takes what is wrong.

    """

    def __init__(self, accuse: Callable[[str], None]) -> None:
        self._accuse = accuse
        self.said: dict[str, Json] = {}
        """What persons have said, as it stands, by the ids of the orders."""
        self._states: dict[str, str] = {}

    def note(self, entry: Json, *, is_executed: bool) -> bool:
        """Judge an entry about an order; return whether a person was contradicted.

        Args:
            entry: of the trail.
            is_executed: whether the broker has carried out a command of the order by now.

        """
        id_, state, said = entry["object"], entry["state"], entry.get("settlement")
        before, self._states[id_] = self._states.get(id_), state
        if said is None:
            if id_ in self.said:
                self._accuse(f"{id_} is {state} again, and was settled: {self.said[id_]}")
            return False
        is_contradicted = said.get("time_contradicted") is not None
        if is_contradicted:
            self._judge_contradiction(id_, state, said, is_executed=is_executed)
        elif id_ in self.said:
            self._accuse(f"{id_} is settled twice: {self.said[id_]}, and then {said}")
        elif before not in UNSETTLED or state != said["outcome"]:
            self._accuse(f"{id_} was {before}, is {state}, and {said}")
        self.said[id_] = said
        return is_contradicted

    def _judge_contradiction(self, id_: str, state: str, said: Json, *, is_executed: bool) -> None:
        before = self.said.get(id_)
        if before is None or any(said[name] != one for name, one in before.items() if one):
            self._accuse(f"{id_} was settled as {before}, and that is contradicted as {said}")
        elif before.get("time_contradicted") is not None:
            self._accuse(f"{id_} is contradicted twice: {said}")
        if state == "done" and not is_executed:
            self._accuse(f"{id_} is {state}, and was not executed; contradicted is {said}")


def faults_of_settled(
    intent: Intent, record: Json, executed: Sequence[Executed], *, is_void: bool, shows: bool
) -> Iterator[str]:
    """Yield what is wrong at the end with an order that a person has settled.

    Args:
        intent: what a bot wanted, and was told.
        record: what ``get_order`` says of it.
        executed: what the broker has carried out of it.
        is_void: the market had nothing for it.
        shows: the broker shows it with its tag, and it was looked for.

    """
    outcome, said, sends = record["outcome"], record["settlement"], len(executed)
    what = f"{intent.id} {intent.method} {intent.params}, told {intent.replies}, is {record}"
    if sends > 1:
        yield f"executed {sends} times: {what}"
    if outcome in OPEN or said is None:
        yield f"not settled any more: {what}"
        return
    told = {one.outcome for one in intent.replies} & (ENDS - {"not_sent"})
    if told - {outcome, said["outcome"]}:
        yield f"told neither a person's word nor the truth: {what}"
    ticket = executed[0].result.order if executed else None
    is_right = (outcome == "done") == bool(executed) or is_void
    if said["time_contradicted"] is None:
        if outcome != said["outcome"]:
            yield f"another end than its person has said, and not contradicted: {what}"
        if shows and not (is_right and said["ticket"] in (None, ticket)):
            yield f"executed as {executed}, and not contradicted: {what}"
    elif not is_right:
        yield f"executed as {executed}, and contradicted: {what}"
    elif outcome == "done" and intent.method == "place_order":
        order = record["result"]["order"]["order"]
        if order != ticket:
            yield f"executed as {executed}, and told as order {order}: {what}"
