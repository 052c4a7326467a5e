"""Counting the turns of the loop that others get while something long is done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any


class Turns:
    """How often somebody else had a turn, and how much was done in each."""

    def __init__(self) -> None:
        self.count = 0
        self.done: Counter[int] = Counter()
        """Calls of what was watched, by turn."""

    @property
    def most(self) -> int:
        """The most calls between two turns."""
        return max(self.done.values(), default=0)

    def watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Count the calls of a function."""

        def counted(*args: Any) -> Any:
            self.done[self.count] += 1
            return function(*args)

        return counted


@asynccontextmanager
async def turns() -> AsyncIterator[Turns]:
    """Let a task take a turn whenever it can."""
    found = Turns()

    async def run() -> None:
        while True:
            await asyncio.sleep(0)
            found.count += 1

    task = asyncio.create_task(run())
    await asyncio.sleep(0)  # it begins
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait((task,))
