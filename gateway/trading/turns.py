"""One change of a position or an order after the other.

What a change sends is worked out from what the terminal has just said: how much of a position is
open, which stop stays as it is. Two callers who look at the same moment and then both send would
undo one another: on a netting account a second closing deal opens an opposite position, and a new
take profit brings back the stop loss of a moment before. So whoever comes second waits until the
first has its answer, and looks then; also one who comes through another terminal of the account.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from .requests import Deadline, ExecutionOptions


@dataclass
class _Queue:
    """Those who want to change one thing; kept while there are any."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callers: int = 0


Queues = dict[tuple[Hashable, int], _Queue]
"""By account and ticket."""


class Turns:
    """Who may change what, of one terminal. Its size is bounded by the calls in progress.

    Args:
        queues: of all terminals that share accounts.
        account: tells which one the terminal is logged in to now.

    """

    def __init__(
        self, queues: Queues | None = None, account: Callable[[], Hashable] = lambda: None
    ) -> None:
        self._queues: Queues = {} if queues is None else queues
        self._account = account

    def __len__(self) -> int:
        """How many things are being changed or waited for."""
        return len(self._queues)

    @asynccontextmanager
    async def of(self, options: ExecutionOptions, *tickets: int) -> AsyncIterator[None]:
        """Wait until nobody else changes these positions or orders; keep others waiting.

        Raises:
            DeadlineExceeded: the turn did not come while the trade was worth sending.

        """
        async with AsyncExitStack() as stack:
            with options.before_sending():
                # in the order of their numbers, so that no two callers wait for each other
                for ticket in sorted(set(tickets)):
                    await stack.enter_async_context(self._one(ticket, options.deadline))
            yield

    @asynccontextmanager
    async def _one(self, ticket: int, deadline: Deadline) -> AsyncIterator[None]:
        what = (self._account(), ticket)
        queue = self._queues.setdefault(what, _Queue())
        queue.callers += 1
        try:
            await _acquire(queue.lock, deadline)
            try:
                yield
            finally:
                queue.lock.release()
        finally:
            queue.callers -= 1
            if not queue.callers:
                del self._queues[what]


async def _acquire(lock: asyncio.Lock, deadline: Deadline) -> None:
    try:
        async with asyncio.timeout(deadline.remaining_ms() / 1000):
            await lock.acquire()
    except TimeoutError:
        raise deadline.exceeded() from None
