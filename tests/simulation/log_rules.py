"""Rules of the log and of tasks: nothing dies in silence, and no error is logged without a cause.

Records are known by their texts before anything is filled in, so that a look costs next to
nothing. What is logged as an error while the disk fails has to be on a list; at any other time
there is nothing that may be.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from .invariants import Invariants

WHERE_THE_DISK_FAILS = frozenset(
    {
        "%s",
        "%s: %s",
        "%s %d was not ended",
        "a link of orders is not written: %s",
        "a link of orders may be written: %s",
        "a write to the ledger failed",
        "access tokens cannot be looked up: %s",
        "change %d is %s, and the journal cannot say so: %s",
        "it is not written that order %s is unknown",
        "no checkpoint of the audit trail: %s",
        "not in the audit trail: %s: %s",
        "nobody is let in any more: %s",
        "nothing new is traded: the halts cannot be read: %s",
        "order %s is not in the journal, so it is not sent: %s",
        "order %s may be on the disk: %s",
        "paper account %d is not written",
        "terminal %s: what was found is not written",
        "the connection to the MT4 server is not kept up: %s",
        "the end of order %s is not written",
        "%s: what was revoked cannot be read there: %s",
        "%s: what was revoked is not written there yet: %s",
        "a task failed; it is tried again",
        "the disk is full: make room where %s lies; until then nothing new is opened, closing and "
        "cancelling go on",
        "the end of this run is not in the audit trail: %s",
        "the issuer's keys are not renewed: %s",
        "the journal cannot be read, so order %s is not sent",
        "the kill switch was not written: %s",
        "the money of the accounts is not followed: %s",
        "the registered accounts cannot be read: %s",
        "the time is not saved: %s",
        "tokens cannot be checked: %s",
        "what came late of command %d is not looked at: %s",
        "what is open of the MT4 server stays so",
        "what was seen of tokens is not saved yet: %s",
    }
)
"""Texts of errors that a disk explains which is full or broken."""
WHERE_A_PEER_DIES = frozenset(
    {
        "change %d (%s) may have been done or not",
        "what became of command %d (%s) is not known: %s",
    }
)
"""Texts of errors that the peer of the MT4 server explains, which dies over a command."""
FOREVER = frozenset(
    {
        "AccountsService._watch",
        "ChangeReconciler._work",
        "Gate.watch",
        "KillSwitch.watch",
        "PaperService._watch",
        "Supervision._watch",
        "AuditService.watch",
    }
)
"""Tasks that run for as long as a daemon does."""


class LogRules(logging.Handler):
    """Handler of all that is logged.

    Args:
        invariants: told of errors that nothing explains.
        is_dead: whether what runs now belongs to a life that was killed.
        has_disk_failed: whether a fault of the disk explains errors.
        on_record: told of each record of the living.

    """

    def __init__(
        self,
        invariants: Invariants,
        *,
        is_dead: Callable[[], bool] = lambda: False,
        has_disk_failed: Callable[[], bool] = lambda: False,
        on_record: Callable[[logging.LogRecord], None] = lambda _: None,
    ) -> None:
        super().__init__(logging.INFO)
        self._invariants = invariants
        self._is_dead = is_dead
        self._has_disk_failed = has_disk_failed
        self._on_record = on_record

    def handle(self, record: logging.LogRecord) -> bool:
        """Look at a record; there is one thread, so nothing is locked."""
        if self._is_dead():
            return False
        self._on_record(record)
        if record.levelno >= logging.ERROR:
            by_disk = record.msg in WHERE_THE_DISK_FAILS and self._has_disk_failed()
            is_known = by_disk or record.msg in WHERE_A_PEER_DIES or _is_of_aiohttp(record)
            if not is_known:
                cause = "" if record.exc_info is None else f": {record.exc_info[1]!r}"
                said = f"{record.name} {record.levelname}: {record.getMessage()}{cause}"
                self._invariants.broken("log", said)
        return True

    def install(self) -> None:
        """Hear all that is logged from now on, and let nobody else."""
        root = logging.getLogger()
        root.handlers[:] = [self]
        root.setLevel(logging.INFO)


def _is_of_aiohttp(record: logging.LogRecord) -> bool:
    """Whether aiohttp tells of a race of its own, at the end of a connection, which is closed.

    It gives a request some time to be answered and then waits no more; a request that is answered
    in the very turn of the loop in which that time runs out wakes up nobody. After the machine has
    slept all that was to happen meanwhile is due in one turn.
    """
    error = None if record.exc_info is None else record.exc_info[1]
    if record.name != "aiohttp.server" or not isinstance(error, asyncio.InvalidStateError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.endswith("web_protocol.py")


class TaskRules:
    """Tasks of one life that end with it alone.

    Args:
        tasks: those that there are when it begins.
        invariants: told of one that has ended.

    """

    def __init__(self, tasks: Iterable[asyncio.Task[Any]], invariants: Invariants) -> None:
        self._invariants = invariants
        found = {str(getattr(one.get_coro(), "__qualname__", "")): one for one in tasks}
        self._tasks = {name: task for name, task in found.items() if name in FOREVER}
        for name in sorted(FOREVER - self._tasks.keys()):
            invariants.broken("task", f"no task {name} runs in a daemon that has begun")

    def look(self) -> None:
        """See that all go on."""
        for name, task in self._tasks.items():
            if task.done():
                how = "cancelled" if task.cancelled() else repr(task.exception())
                self._invariants.broken("task", f"{name} has ended: {how}")
