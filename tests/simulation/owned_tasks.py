"""Tasks and generators of each life, so that its end can take them all."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from typing import Any


class OwnedTasks:
    """Whose a task or an asynchronous generator is."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._tasks: dict[int, dict[int, weakref.ref[asyncio.Task[Any]]]] = {}
        self._owners: dict[int, int] = {}
        """Lives by the ids of generators."""

    def add(self, task: asyncio.Task[Any], life: int) -> None:
        """Note a task."""
        number, tasks = next(self._numbers), self._tasks.setdefault(life, {})
        tasks[number] = weakref.ref(task, lambda _: tasks.pop(number, None))

    def own(self, generator: Any, life: int) -> None:
        """Note whose an asynchronous generator is."""
        key, owners = id(generator), self._owners
        owners[key] = life
        weakref.finalize(generator, owners.pop, key, None).atexit = False

    def owner(self, generator: Any) -> int:
        """Return whose a generator is; 0 where nobody has noted it."""
        return self._owners.get(id(generator), 0)

    def of(self, life: int) -> list[Any]:
        """Return what a life has left, in the order in which it came."""
        return [found() for found in self._tasks.get(life, {}).values()]

    def take(self, life: int) -> list[Any]:
        """Return the same, and forget it."""
        tasks = self.of(life)
        self._tasks.pop(life, None)
        return tasks
