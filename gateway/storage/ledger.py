"""Ledger of what must outlive a crash: orders and the audit trail, in an SQLite file of its own.

Those who write are many, and each waits until its rows are on the disk. So one thread writes for
all: it takes what has come while it was busy with the last group, commits it as one transaction,
and wakes everybody whose rows were in it. A hundred who write at once wait for one or two commits
together, not for a hundred. What nobody waits for lingers a moment, so that it goes with the next
group and costs no commit of its own.

Who writes alone, and little, needs no thread: to wake it and to be woken takes as long as the
commit. His group is committed in the loop's thread, as long as the disk has answered at once
lately; after a commit that took longer the loop leaves it to the thread for a while.

A write that fails harms no other one of its group. If the group itself cannot be committed, none
of it is there and all who wait are told. If that is for want of room, the home's reserve was given
up with it, and all is tried once more but what adds risk: that is refused until the reserve is
whole again.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from ea_bridge import host
from ea_bridge.histogram import Histogram
from gateway.storage.reserve import Reserve, full_text
from gateway.storage.store import LEDGER, CommitUnsure, DiskFull, Store, StoreError, overwrite

DATABASE = LEDGER
LINGER_S = 0.05
"""How long writes that nobody waits for may wait for one that somebody does."""
MAX_HERE_S = 0.003
"""A commit in the loop's thread that took longer was too long: everybody has waited for it."""
SLOW_S, CROWD_S = 10.0, 0.02
"""For so long nothing is committed there after that, and after two wrote at the same time."""
OVERWRITE_S = 1.0
"""So long after a failed commit that a kill may bring back, something else is written."""
WRITES_A_CHECKPOINT = 250
"""After so many the log's pages go back into the file, which is about SQLite's own measure."""
MAX_LOG_PAGES = 4_000
"""Beyond it, which is 16 MB, nobody writes until the log's pages are back in the file: where one
write follows the other, a new page may always come before the last one is back."""
MAX_GROUP = 512
"""Writes in one transaction."""

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Signal(enum.Enum):
    """Signals to the writing thread beside what it is to write."""

    CHECKPOINT = enum.auto()
    END = enum.auto()


@dataclass(slots=True, eq=False)
class Write:
    """One write, and who is told of it; ``None``: nobody is."""

    work: Work[Any]
    waiter: asyncio.Future[Any] | None
    is_small: bool = True
    adds_risk: bool = False
    is_handed: bool = False
    """To the thread, which says when it is done."""
    commit_s: float = 0.0
    """How long the commit took; of the first write of a group."""
    result: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        if self.waiter is None:
            if self.error is not None:
                logger.error("a write to the ledger failed", exc_info=self.error)
        elif self.waiter.done():
            pass  # whoever waited has left
        elif self.error is None:
            self.waiter.set_result(self.result)
        else:
            self.waiter.set_exception(self.error)


class GroupWriter(Protocol):
    """Writer of the groups that the loop does not write itself."""

    def put(self, item: Write | Signal, /) -> None:
        """Take over a write or a signal; any thread."""

    def close(self) -> None:
        """Do what was put, and end."""


NewGroupWriter = Callable[[Callable[[list[Write]], None], Callable[[], None]], GroupWriter]
"""Makes a writer, from how a group is written and how the log is put back into the file."""


class WritingThread:
    """Thread that writes groups for as long as the ledger is open.

    Args:
        write: writes a group.
        checkpoint: puts the log back into the file.

    """

    def __init__(
        self, write: Callable[[list[Write]], None], checkpoint: Callable[[], None]
    ) -> None:
        self._write, self._checkpoint = write, checkpoint
        self._queue: SimpleQueue[Write | Signal] = SimpleQueue()
        # a daemon thread: the end of a process must not hang on a disk that does not answer
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def put(self, item: Write | Signal, /) -> None:
        """Take over a write or a signal; any thread."""
        self._queue.put(item)

    def close(self) -> None:
        """Do what was put, and end."""
        self._queue.put(Signal.END)
        self._thread.join()

    def _run(self) -> None:
        signal: Signal | None = None
        while signal is not Signal.END:
            group, signal = self._gather()
            if group:
                self._write(group)
            if signal is Signal.CHECKPOINT:
                self._checkpoint()

    def _gather(self) -> tuple[list[Write], Signal | None]:
        """Return what waits by now, and what was said after it."""
        group: list[Write] = []
        # all that came while the last group was committed; for more nobody waits
        write = self._queue.get()
        while isinstance(write, Write):
            group.append(write)
            if len(group) == MAX_GROUP:
                return group, None
            try:
                write = self._queue.get_nowait()
            except Empty:
                return group, None
        return group, write


class Ledger:
    """The file, open. Make it before a loop runs or inside; it belongs to one loop.

    Args:
        home: the folder.
        migrations: of all tables in it, in the order in which they came; see
            :class:`~gateway.storage.store.Store`.
        reserve: of the disk; ``None``: there is none, and nothing is refused for want of it.
        new_writer: makes what writes the groups that the loop does not.

    Raises:
        StoreError: the database cannot be used; the message says what to do.

    """

    def __init__(
        self,
        home: Path,
        migrations: Sequence[str],
        reserve: Reserve | None = None,
        new_writer: NewGroupWriter = WritingThread,
    ) -> None:
        self._reserve = reserve
        self.reader = Store(home, migrations, database=DATABASE, check="later")
        """For reading, in the thread that made the ledger; sees what has been committed."""
        try:
            # not checked: the reader has just looked through the same file
            self._writer = Store(
                home, migrations, database=DATABASE, shared=True, check="never", checkpoints=False
            )
            self._writer.be_patient(patient=False)  # but in the thread: the loop does not wait
        except BaseException:
            self.reader.close()
            raise
        # held by whoever uses the writer's connection: the loop's thread or the writing one
        self._writing = threading.Lock()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Write] = []
        self._urgent = 0
        self._flushing: asyncio.Handle | None = None
        self._is_unsure = False
        self._overwriting: asyncio.TimerHandle | None = None
        self._handed = 0
        self._not_here_until_s = 0.0
        self._written = 0
        self.commits = Histogram()
        """How long each commit took: that of a group, or a try at it."""
        self.done = 0
        """Writes that are on the disk, since the start."""
        self.failed = 0
        """Writes that are not."""
        self.damage: StoreError | None = None
        """What :meth:`check_integrity` has found: nothing may trade by such a ledger."""
        # last: its thread may call back at once
        self._groups = new_writer(self._write_group, self._checkpoint)

    @property
    def waiting(self) -> int:
        """Number of writes that are not on the disk yet."""
        return len(self._waiting) + self._handed

    @property
    def is_check_due(self) -> bool:
        """Whether :meth:`check_integrity` has something to do."""
        return self.reader.is_check_due

    @property
    def has_reserve(self) -> bool:
        """Whether there is room left for what takes risk away; else nothing adds any."""
        return self._reserve is None or self._reserve.is_whole

    def has_room(self, size: int) -> bool:
        """Whether there is room for so many bytes beside the reserve."""
        return self._reserve is None or self._reserve.leaves_room(size)

    def close(self) -> None:
        """Write what is waiting, and close the file; later calls change nothing."""
        if not self._is_closed:
            # first: from now on nothing is taken, and what waits is still written
            self._is_closed = True
            self._hand(self._take())
            self._groups.close()
            self._writer.close()
            self.reader.close()

    async def check_integrity(self) -> None:
        """Look for damage in a file that was too large for that at the start; see :attr:`damage`.

        At two gigabytes that takes two minutes, in which orders are served. Cancel it at the end.
        """
        try:
            await asyncio.to_thread(self.reader.check_integrity)
        except StoreError as error:
            logger.critical("%s", error)
            self.damage = error
        finally:
            self.reader.stop_looking()

    async def write(self, work: Work[T], *, is_small: bool = False, adds_risk: bool = False) -> T:
        """Do some work within a transaction; return its result once that is on the disk.

        Args:
            work: called with the connection, in any thread; it neither begins nor commits. It is
                called again where another write of its group has failed, so it changes nothing
                but the database.
            is_small: it is a matter of microseconds, so that the loop may do it by itself.
            adds_risk: it is for a trade that puts something at risk that was not before.

        Raises:
            DiskFull: there is no room; or it adds risk, and the reserve was given up.
            CommitUnsure: it is not there, and may be after a kill.
            StoreError: it could not be written, and is not there.
            Exception: what ``work`` raises; nothing of it is there.

        """
        loop = self._here()
        waiter: asyncio.Future[T] = loop.create_future()
        # two at a time: in the thread they share a commit, here each would have its own
        if self._urgent or self._handed:
            self._stay_away(CROWD_S)
        if not self._urgent:
            self._forget_flush()
            # at the end of this turn: whoever writes in the same turn goes along
            self._flushing = loop.call_soon(self._flush)
        self._urgent += 1
        self._waiting.append(Write(work, waiter, is_small, adds_risk))
        return await waiter

    def write_later(self, work: Work[T]) -> asyncio.Future[T]:
        """Have some small work done with the next group, at the latest in :data:`LINGER_S`.

        Returns:
            Done when it is on the disk, with the result or the exception, as of :meth:`write`.

        """
        waiter: asyncio.Future[T] = self._here().create_future()
        self._put_off(Write(work, waiter))
        return waiter

    def write_soon(self, work: Work[Any]) -> None:
        """Do the same, and wait for nothing; a failure is logged. Needs no loop."""
        try:
            self._here()
        except RuntimeError:
            self._groups.put(Write(work, None))
        else:
            self._put_off(Write(work, None))

    # --- in the loop's thread ------------------------------------------------------------------

    def _here(self) -> asyncio.AbstractEventLoop:
        if self._is_closed:
            raise StoreError(f"{self._writer.path} is closed")
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _put_off(self, write: Write) -> None:
        self._waiting.append(write)
        # a whole group: to linger would save no commit
        if len(self._waiting) >= MAX_GROUP:
            self._hand(self._take())
        elif self._flushing is None:
            assert self._loop is not None
            self._flushing = self._loop.call_later(LINGER_S, self._flush)

    def _forget_flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None

    def _take(self) -> list[Write]:
        """Return all that waits, in the order in which it came."""
        group, self._waiting, self._urgent = self._waiting, [], 0
        self._forget_flush()
        return group

    def _flush(self) -> None:
        """Have written what waits: here where that is quick, or by the thread."""
        is_alone = self._urgent == 1
        group = self._take()
        if not (is_alone and self._is_written_here(group)):
            self._hand(group)

    def _is_written_here(self, group: list[Write]) -> bool:
        begun_s = host.monotonic_s()
        is_barred = self._handed or begun_s < self._not_here_until_s
        is_barred = is_barred or not all(write.is_small for write in group)
        # not waited for: the thread may be in a slow commit, and the loop would stand still
        if is_barred or not self._writing.acquire(blocking=False):
            return False
        try:
            self._commit(group)
        finally:
            self._writing.release()
        if host.monotonic_s() - begun_s > MAX_HERE_S:
            self._stay_away(SLOW_S)
        if all(_was_busy(write.error) for write in group):
            for write in group:
                write.error = None
            return False  # another program writes: the thread can wait for it
        self._count(group)
        for write in group:
            write.settle()
        return True

    def _stay_away(self, seconds: float) -> None:
        until_s = host.monotonic_s() + seconds
        self._not_here_until_s = max(self._not_here_until_s, until_s)

    def _hand(self, group: list[Write]) -> None:
        self._handed += len(group)
        for write in group:
            write.is_handed = True
            self._groups.put(write)

    def _told(self, group: list[Write]) -> None:
        # what was put while no loop ran was never counted
        self._handed -= sum(write.is_handed for write in group)
        self._count(group)
        for write in group:
            write.settle()

    def _count(self, group: list[Write]) -> None:
        self._see_doubt(group)
        self.commits.add(group[0].commit_s)
        failed = sum(write.error is not None for write in group)
        self.failed += failed
        self.done += len(group) - failed
        self._written += len(group)
        if self._written >= WRITES_A_CHECKPOINT:
            self._written = 0
            self._groups.put(Signal.CHECKPOINT)

    def _see_doubt(self, group: list[Write]) -> None:
        """Have something else written soon after a commit that a kill may bring back.

        Only that ends the doubt: another write may change nothing, and puts nothing into the log.
        """
        if any(isinstance(write.error, CommitUnsure) for write in group):
            self._is_unsure = True
        elif any(write.work is overwrite and write.error is None for write in group):
            self._is_unsure = False
        if self._is_unsure and self._overwriting is None:
            loop = asyncio.get_running_loop()
            # not at once: what has just failed would fail again
            self._overwriting = loop.call_later(OVERWRITE_S, self._overwrite)

    def _overwrite(self) -> None:
        self._overwriting = None
        if self._is_unsure and not self._is_closed:
            self._put_off(Write(overwrite, None))

    # --- in the writing thread -----------------------------------------------------------------

    def _write_group(self, group: list[Write]) -> None:
        with self._writing:
            self._writer.be_patient(patient=True)
            self._commit(group)
            self._writer.be_patient(patient=False)
        self._tell(group)

    def _tell(self, group: list[Write]) -> None:
        """Wake those who wait, all with one call into their loop."""
        if self._loop is None:  # nobody waits: they were put off before a loop ran
            for write in group:
                write.settle()
            return
        try:
            # one call for the whole group: each wakes the loop by a write into a pipe
            self._loop.call_soon_threadsafe(self._told, group)
        # the loop is closed: its futures cannot be settled, and nobody awaits them
        except RuntimeError:
            for write in group:
                if write.waiter is None:
                    write.settle()
            logger.debug("nobody waits any more for what was written to the ledger")

    def _checkpoint(self) -> None:
        try:
            if self._writer.checkpoint() > MAX_LOG_PAGES:
                # only what came meanwhile is left, so it takes a moment
                with self._writing:
                    self._writer.checkpoint()
        except StoreError as error:
            logger.error("%s", error)

    # --- in either, one at a time --------------------------------------------------------------

    def _commit(self, group: list[Write]) -> None:
        begun_s = host.perf_s()
        try:
            # a file that was exchanged would take the orders, and nobody would find them
            self._writer.check_place()
            if lacking := self._lacking_room(self._affordable(group)):
                # what the store gave up with the error is room for these
                self._groups.put(Signal.CHECKPOINT)  # and the log begins anew
                self._lacking_room(self._affordable(lacking))
        except Exception as error:  # whatever it is, the next group goes on
            for write in group:
                write.error = write.error or error
        group[0].commit_s = host.perf_s() - begun_s

    def _affordable(self, group: list[Write]) -> list[Write]:
        """Return what may be written; refuse what adds risk while the reserve is given up."""
        # looked at for each group: another process may have given it up
        if self.has_reserve:
            return group
        for write in group:
            if write.adds_risk:
                write.error = DiskFull(full_text(self._writer.path))
        return [write for write in group if not write.adds_risk]

    def _lacking_room(self, group: list[Write]) -> list[Write]:
        """Do all; return what could not be done for want of room."""
        for write in group:
            # of a first try; this one may have the room
            write.error = None
        try:
            if group and not self._is_done_together(group):
                with self._writer.transaction() as connection:
                    for write in group:
                        _try(self._writer, connection, write)
        except DiskFull as error:
            for write in group:
                write.error = error
        return [write for write in group if isinstance(write.error, DiskFull)]

    def _is_done_together(self, group: list[Write]) -> bool:
        """Do all, with no way back for each alone; nothing is done if one fails."""
        try:
            # the common case: no savepoint for each write
            with self._writer.transaction() as connection:
                for write in group:
                    write.result = _attempt(connection, write)
        except _OneFailedError:
            return False
        return True


class _OneFailedError(Exception):
    """One write of a group has failed, so that all are undone."""


def _attempt(connection: sqlite3.Connection, write: Write) -> Any:
    try:
        return write.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # the disk is full, or worse: SQLite has undone the whole group
        raise _OneFailedError from error


def _try(store: Store, connection: sqlite3.Connection, write: Write) -> None:
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


def _was_busy(error: Exception | None) -> bool:
    """Whether nothing was done because another program was writing."""
    # the store has put its own error around SQLite's
    code = getattr(None if error is None else error.__cause__, "sqlite_errorcode", 0)
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
