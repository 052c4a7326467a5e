"""Work in the background: it ends with a context, looks around in step, and is tried again.

:class:`Backoff` is the wait between tries, which grows with each failure; :class:`RetryingTasks`
are tried until they succeed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from typing import Any

from gateway.errors import GatewayError


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside the context; it is cancelled, and has ended, when the context is left."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        # not awaited: what it raised is in the log, and must not hide what ends the context
        await asyncio.wait((task,))


async def next_look(every_s: float) -> None:
    """Sleep until the loop's clock shows a multiple of some seconds.

    Whoever looks for something at intervals waits so: all wake together, and an idle program a
    few times a second instead of as often as all of them would by themselves.
    """
    rest_s = every_s - asyncio.get_running_loop().time() % every_s
    # a timer may ring a hair early, and then this look would come twice
    await asyncio.sleep(rest_s if rest_s > every_s / 10 else rest_s + every_s)


MAX_DOUBLINGS = 16
"""More make no wait longer, and in the end no float could hold them."""


def ceiling_s(first_s: float, last_s: float, failures: int) -> float:
    """Return the longest wait after so many failures in a row.

    It doubles from ``first_s`` up to ``last_s``. Who takes a random part of it comes back at
    another moment than all others that failed at the same one.
    """
    return min(last_s, first_s * 2.0 ** min(failures, MAX_DOUBLINGS))


class Backoff:
    """Wait of one task between its tries.

    Args:
        first_s: the wait before anything has failed, and again after a success.
        last_s: the longest one.

    """

    def __init__(self, first_s: float, last_s: float) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self.wait_s = first_s
        """To wait now, before the next try."""

    def grow(self) -> None:
        """Double the wait, since a try has failed."""
        self.wait_s = min(self.wait_s * 2, self._last_s)

    def reset(self) -> None:
        """Begin with the first wait again."""
        self.wait_s = self._first_s


FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 5.0
"""Between two attempts; it doubles each time."""

_log = logging.getLogger(__name__)

Attempt = Callable[[], Awaitable[bool]]
"""Does what there is to do; whether it is done with."""


class RetryingTasks:
    """Tasks under way, by what they are about. There are as many as open rows, at the most."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._again: set[Hashable] = set()
        """What was begun while it was under way: what it has looked at may be out of date."""
        self._hurry = asyncio.Event()

    def begin(self, about: Hashable, attempt: Attempt) -> None:
        """Attempt something until it is done; once more if it is under way already."""
        if about in self._tasks:
            self._again.add(about)
            return
        self._tasks[about] = asyncio.get_running_loop().create_task(self._run(about, attempt))

    def hurry(self) -> None:
        """Let those that pause try again now, since the terminal is back."""
        self._hurry.set()
        self._hurry = asyncio.Event()

    def stop(self) -> bool:
        """Cancel what is under way, and return whether there was anything; what was begun is in
        the ledger.
        """
        for task in self._tasks.values():
            task.cancel()
        return bool(self._tasks)

    async def _run(self, about: Hashable, attempt: Attempt) -> None:
        try:
            await self._until_done(about, attempt)
        finally:
            del self._tasks[about]

    async def _until_done(self, about: Hashable, attempt: Attempt) -> None:
        backoff = Backoff(FIRST_PAUSE_S, LAST_PAUSE_S)
        while True:
            # taken before the attempt: a terminal that comes back during it must not be missed
            hurry = self._hurry
            self._again.discard(about)
            try:
                if await attempt():
                    if about not in self._again:
                        return
                    continue
            except GatewayError as error:  # the terminal is away, or slow: that is no failure
                _log.info("a task is put off: %s", error.name())
            except Exception:
                _log.exception("a task failed; it is tried again")
            try:
                async with asyncio.timeout(backoff.wait_s):
                    await hurry.wait()
            except TimeoutError:
                backoff.grow()
