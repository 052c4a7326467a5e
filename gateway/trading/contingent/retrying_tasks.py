"""Tasks of the daemon's own, at most one at a time about each thing, tried until they succeed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable

from gateway.backoff import Backoff
from gateway.errors import GatewayError

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
