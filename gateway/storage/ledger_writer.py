"""Writer of the ledger's groups: a thread beside the loop.

:class:`~gateway.storage.ledger.Ledger` says how a group is written; here stands when: what was
put while the last group was being written makes the next.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

MAX_GROUP = 512
"""Writes in one transaction."""

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

logger = logging.getLogger(__name__)


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
