"""Locks by ticket: one change of a position or an order after the other.

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
class _TicketLock:
    """Lock of one ticket; kept while somebody has it or waits for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callers: int = 0


LockTable = dict[tuple[Hashable, int], _TicketLock]
"""By account and ticket."""


class TicketLocks:
    """Locks of one terminal's tickets. Their number is bounded by the calls in progress.

    Args:
        table: the locks of all terminals that share accounts.
        account: tells which one the terminal is logged in to now.

    """

    def __init__(
        self, table: LockTable | None = None, account: Callable[[], Hashable] = lambda: None
    ) -> None:
        self._table: LockTable = {} if table is None else table
        self._account = account

    def __len__(self) -> int:
        """Number of tickets that are being changed or waited for."""
        return len(self._table)

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
                    await stack.enter_async_context(self._lock(ticket, options.deadline))
            yield

    @asynccontextmanager
    async def _lock(self, ticket: int, deadline: Deadline) -> AsyncIterator[None]:
        # by the account, too: another terminal of it may change the same ticket
        key = (self._account(), ticket)
        entry = self._table.setdefault(key, _TicketLock())
        entry.callers += 1
        try:
            await _acquire(entry.lock, deadline)
            try:
                yield
            finally:
                entry.lock.release()
        finally:
            entry.callers -= 1
            # the last caller takes the entry away, so that the table stays as small as the calls
            if not entry.callers:
                del self._table[key]


async def _acquire(lock: asyncio.Lock, deadline: Deadline) -> None:
    try:
        async with asyncio.timeout(deadline.remaining_ms() / 1000):
            await lock.acquire()
    except TimeoutError:
        raise deadline.exceeded() from None
