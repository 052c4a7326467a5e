"""Truth about one home's ledger: what it has committed, over all lives of its daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from gateway.storage.store import Store

from .invariants import Invariants

_FIRST_STATES = {"held": "waiting", "oco": "active"}
"""Left out of a row's body where it has not changed yet."""


class Command(NamedTuple):
    """A command as its row was made."""

    order: int
    """Row of the order that it is for; 0 for a manager's change."""
    actor: str
    """Public id of the token that asked, or ``daemon``."""
    is_paper: bool


class LedgerTruth:
    """All that a ledger has said to be on the disk.

    Args:
        has_trail: each change is noted in the audit trail as well.

    """

    def __init__(self, *, has_trail: bool = True) -> None:
        self.has_trail = has_trail
        self.commands: dict[int, Command] = {}
        """Those with a committed row, by their ids."""
        self.newest: dict[int, int] = {}
        """Id of the last command of each order, by the order's row."""
        self.reached: set[int] = set()
        """Ids of those that were written to a terminal."""
        self.owners: dict[tuple[int, str, int], int] = {}
        """Rows of orders by login, server and ticket."""
        self.stages: dict[int, str] = {}
        """Stages of orders, by their rows; without those of whom nobody knows whether their last
        move is on the disk."""
        self.is_durable: Callable[[], bool] = lambda: True
        """Whether all that was written to the log would survive a power cut now."""
        self._unsynced: set[int] = set()
        self._since_look: list[int] = []
        self._moved: dict[int, None] = {}
        """Rows of orders that have moved since the last look."""

    def move(self, stages: Mapping[int, str]) -> None:
        """Take the stages of orders as a transaction that was committed has left them."""
        self.stages.update(stages)
        self._moved.update(dict.fromkeys(stages))

    def doubt(self, rows: Iterable[int]) -> None:
        """Take that nobody knows whether the last moves of these orders are on the disk."""
        for row in rows:
            self.stages.pop(row, None)
            self._moved.pop(row, None)

    def add(self, made: Mapping[int, Command], *, is_durable: bool) -> None:
        """Take the commands of a transaction that was committed.

        Args:
            made: by their ids.
            is_durable: whether they were synced by the time the commit was told.

        """
        self.commands.update(made)
        self.newest.update((command.order, command_id) for command_id, command in made.items())
        self._since_look.extend(one for one, command in made.items() if command.order)
        if not is_durable:
            self._unsynced.update(made)

    def find(self, command_id: int) -> Command | None:
        """Return a command if its row would survive a power cut now; ``None`` otherwise."""
        if command_id in self._unsynced:
            if not self.is_durable():
                return None
            self._unsynced.clear()
        return self.commands.get(command_id)

    def disown(self, row: int) -> None:
        """Forget which tickets an order has: it was settled by hand, and has others."""
        for ticket in [one for one, owner in self.owners.items() if owner == row]:
            del self.owners[ticket]

    def restore(self) -> None:
        """Forget all: the home was put back to what it was earlier, by hand."""
        self.commands.clear()
        self.newest.clear()
        self.owners.clear()
        self.stages.clear()
        self._moved.clear()
        self._since_look.clear()

    def check_kept(self, reader: Store, invariants: Invariants) -> None:
        """See that what was committed by the lives since the last look is there.

        Args:
            reader: of the life that begins.
            invariants: told what is not.

        """
        ids = orjson.dumps(self._since_look).decode()
        known = "SELECT command_id FROM sends WHERE command_id IN (SELECT value FROM json_each(?))"
        there = {row[0] for row in reader.all(known, ids)}
        for command_id in self._since_look:
            if command_id not in there:
                said = f"the row of command {command_id} was committed, and is gone"
                invariants.broken("journal kept", said)
        rows = orjson.dumps(list(self._moved)).decode()
        known = "SELECT id, stage FROM orders WHERE id IN (SELECT value FROM json_each(?))"
        stages = {row[0]: row[1] for row in reader.all(known, rows)}
        for row in self._moved:
            stage = self.stages[row]
            if stages.get(row) != stage:
                said = f"order row {row} was committed as {stage}, and is {stages.get(row)}"
                invariants.broken("journal kept", said)
        self._since_look.clear()
        self._moved.clear()

    @staticmethod
    def state_of(kind: str, body: str) -> str:
        """Return the state of a row of the table ``contingent``."""
        said: dict[str, Any] = orjson.loads(body)
        state: str = said.get("stage") or said.get("state") or _FIRST_STATES[kind]
        return state
