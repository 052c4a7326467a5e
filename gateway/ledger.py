"""What must outlive a crash: orders and the audit trail, in one SQLite file beside the daemon's.

Those who write are many, and each waits until its rows are on the disk. So one thread writes for
all: it takes what has come while it was busy with the last group, commits it as one transaction,
and wakes everybody whose rows were in it. One who writes alone waits for one commit; a hundred at
once wait for one or two together, not for a hundred. What nobody waits for lingers a moment, so
that it goes with the next group and costs no commit of its own.

A write that fails harms no other one of its group. If the group itself cannot be committed (the
disk is full), none of it is there and all who wait are told.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from gateway.store import Store, StoreError

DATABASE = "ledger.db"
MAX_GROUP = 512
"""Writes in one transaction."""
LINGER_S = 0.05
"""How long writes that nobody waits for may wait for one that somebody does."""

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Write:
    """One write, and who is told of it; ``None``: nobody is."""

    work: Work[Any]
    waiter: asyncio.Future[Any] | None
    is_urgent: bool = True
    result: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        if self.waiter is None or self.waiter.done():
            return
        if self.error is None:
            self.waiter.set_result(self.result)
        else:
            self.waiter.set_exception(self.error)


class Ledger:
    """The file, open. Make it before a loop runs or inside; :meth:`write` belongs to one loop.

    Args:
        home: the folder.
        migrations: of all tables in it, in the order in which they came; see
            :class:`~gateway.store.Store`.

    Raises:
        StoreError: the database cannot be used; the message says what to do.

    """

    def __init__(self, home: Path, migrations: Sequence[str]) -> None:
        self.reader = Store(home, migrations, database=DATABASE)
        """For reading, in the thread that made the ledger; sees what has been committed."""
        try:
            self._writer = Store(home, migrations, database=DATABASE, shared=True, check=False)
        except BaseException:
            self.reader.close()
            raise
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting, and close the file; later calls change nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
            self._thread.join()
            self._writer.close()
            self.reader.close()

    async def write(self, work: Work[T]) -> T:
        """Do some work within a transaction; return its result once that is on the disk.

        Args:
            work: called with the connection, in the writing thread; it neither begins nor commits.
                It is called again where another write of its group has failed, so it changes
                nothing but the database.

        Raises:
            StoreError: it could not be written, and is not there.
            Exception: what ``work`` raises; nothing of it is there.

        """
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(_Write(work, waiter))
        return await waiter

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """Have some work done with the next group, at the latest in :data:`LINGER_S`.

        Returns:
            Done when it is on the disk, with the result or the exception, as of :meth:`write`.

        """
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(_Write(work, waiter, is_urgent=False))
        return waiter

    def write_soon(self, work: Work[Any]) -> None:
        """Do the same, and wait for nothing; a failure is logged."""
        self._put(_Write(work, None, is_urgent=False))

    def _put(self, write: _Write) -> None:
        if self._is_closed:
            raise StoreError(f"{self._writer.path} is closed")
        self._queue.put(write)

    # --- in the writing thread -----------------------------------------------------------------

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, is_last = self._gather(first)
            self._commit(group)
            _tell(group)
            if is_last:
                return

    def _gather(self, first: _Write) -> tuple[list[_Write], bool]:
        """Return what waits by now, and whether the end came after it."""
        group, is_urgent = [first], first.is_urgent
        lingers_until = 0.0 if is_urgent else time.monotonic() + LINGER_S
        while len(group) < MAX_GROUP:
            try:
                left = 0.0 if is_urgent else max(0.0, lingers_until - time.monotonic())
                write = self._queue.get(timeout=left) if left else self._queue.get_nowait()
            except Empty:
                break
            if write is None:
                return group, True
            group.append(write)
            is_urgent = is_urgent or write.is_urgent
        return group, False

    def _commit(self, group: list[_Write]) -> None:
        try:
            self._writer.check_place()
            if self._is_done_together(group):
                return
            with self._writer.transaction() as connection:
                for write in group:
                    _try(self._writer, connection, write)
        except Exception as error:  # whatever it is, the next group goes on
            for write in group:
                write.error = error

    def _is_done_together(self, group: list[_Write]) -> bool:
        """Do all, with no way back for each alone; nothing is done if one fails."""
        try:
            with self._writer.transaction() as connection:
                for write in group:
                    write.result = _attempt(connection, write)
        except _OneFailedError:
            return False
        return True


class _OneFailedError(Exception):
    """One write of a group has failed, so that all are undone."""


def _attempt(connection: sqlite3.Connection, write: _Write) -> Any:
    try:
        return write.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # the disk is full, or worse: SQLite has undone the whole group
        raise _OneFailedError from error


def _try(store: Store, connection: sqlite3.Connection, write: _Write) -> None:
    """Do one write; undo it alone if it fails."""
    connection.execute("SAVEPOINT one")
    try:
        with store.explained():
            write.result = write.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # the disk is full, or worse: SQLite has undone the whole group
        connection.execute("ROLLBACK TO one")
        write.error = error
    connection.execute("RELEASE one")


def _tell(group: list[_Write]) -> None:
    """Wake those who wait, all with one call into their loop."""
    waiting = [write for write in group if write.waiter is not None]
    for write in group:
        if write.waiter is None and write.error is not None:
            logger.error("a write to the ledger failed", exc_info=write.error)
    if not waiting:
        return

    def settle() -> None:
        for write in waiting:
            write.settle()

    assert waiting[0].waiter is not None
    try:
        waiting[0].waiter.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:
        logger.warning("nobody waits any more for what was written to the ledger")
