"""SQLite of the simulated console: what aiosqlite does in threads is done by the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import aiosqlite.core

from ..handles import LIFE
from ..loop import SimulatedLoop

Asked = tuple["asyncio.Future[Any] | None", Callable[[], Any]]


class LoopQueue:
    """Queue of what one connection is to do, one after the other, each a drawn time later."""

    def __init__(self, loop: SimulatedLoop, dice: Random) -> None:
        self._loop, self._dice = loop, dice
        self._asked: deque[Asked] = deque()

    def put_nowait(self, asked: Asked) -> None:
        """Take something to do, and who is told of it."""
        self._asked.append(asked)
        if len(self._asked) == 1:
            self._later()

    def _later(self) -> None:
        self._loop.call_later(self._dice.uniform(1e-5, 3e-4), self._next)

    def _next(self) -> None:
        future, work = self._asked[0]
        try:
            result = work()
        except Exception as error:
            if future is not None and not future.done():
                future.set_exception(error)
        else:
            if future is not None and not future.done():
                future.set_result(result)
        if self._loop.is_dead(LIFE.get()):
            return
        self._asked.popleft()
        if self._asked:
            self._later()


class _NoThread:
    ident = 0

    def __init__(self, **_: Any) -> None:
        self.daemon = True

    def start(self) -> None:
        pass

    def is_alive(self) -> bool:
        """Nothing waits for the loop to end."""
        return False


class LoopExecutor(Executor):
    """An executor whose threads are the loop, a drawn time later."""

    def __init__(self, loop: SimulatedLoop, dice: Random) -> None:
        self._loop, self._dice = loop, dice

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Do something later; return what will hold its result."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work(*args, **named)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._loop.call_later(self._dice.uniform(0.01, 0.2), run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: what was asked is done."""


@contextmanager
def on_the_loop(loop: SimulatedLoop, dice: Random) -> Iterator[None]:
    """Let connections of aiosqlite work on the loop while the block lasts."""
    with (
        patch.object(aiosqlite.core, "Thread", _NoThread),
        patch.object(aiosqlite.core, "SimpleQueue", lambda: LoopQueue(loop, dice)),
    ):
        yield
