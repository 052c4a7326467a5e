"""Watcher of the books: asks the daemon now and then what is open, and compares."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from ..book_rules import look_at_books
from ..plugins import Watcher, watcher

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World

ANSWERS_A_LOOK = 400
"""So many answers at a terminal come to one look at its books."""
LOOKS_IN_PEACE = 20
"""At most, until the books stand still for as long as two questions take."""


@watcher
class BookWatcher(Watcher):
    """The daemon's positions and orders are the broker's, whenever both can be compared."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._answers: Counter[str] = Counter()
        self._looking: set[asyncio.Task[Any]] = set()

    def on_answer(self, terminal: TradedTerminal, message: Any, answer: Any, life: int) -> None:
        """Compare the books with the broker after every :data:`ANSWERS_A_LOOK` answers."""
        self._answers[terminal.name] += 1
        if self._answers[terminal.name] % ANSWERS_A_LOOK == 0:
            task = asyncio.ensure_future(self._look(terminal))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def rest(self) -> None:
        """Look at all of them."""
        for terminal in self.world.terminals.values():
            for _ in range(LOOKS_IN_PEACE):
                if await self._look(terminal):
                    break
            else:
                said = f"the books of {terminal.name} cannot be compared in peace"
                self.world.invariants.broken("books", said)

    async def _look(self, terminal: TradedTerminal) -> bool:
        is_compared = await look_at_books(
            terminal.name,
            terminal.client,
            terminal.machine,
            self.world.invariants,
            partial(self._is_paper, terminal.name),
        )
        if is_compared:
            self.world.sometimes("books compared")
        return is_compared

    def _is_paper(self, name: str) -> bool:
        """Whether the terminal trades on paper; true where no daemon runs that could say so."""
        daemons = self.world.daemons
        return not daemons.is_serving or daemons.gateway.trading.paper.is_on(name)
