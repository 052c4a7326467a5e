"""Ends of orders that the disk did not take: told all the same, and written when it can be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError

from . import rows
from .intents import ENDS, Account, Intent, Stage

Key = tuple[Account, str]

PAUSES_S = (1.0, 2.0, 5.0, 10.0)
"""Between two tries while nothing else is written; the last one goes on for ever."""
LAST_S = 2.0
"""How long the gateway waits for the last try when it ends."""

logger = logging.getLogger(__name__)


class UnwrittenEnds:
    """Ends of orders that could not be written; for the loop's thread.

    They are tried again as soon as something else was written, by and by if nothing is, and when
    the gateway ends: a kill would otherwise leave orders behind whose end nobody has written,
    though the disk has taken everything for hours.

    Args:
        ledger: with the journal's table.
        work_for: returns what writes how an order stands.
        is_settling: whether another end of an order is being written.

    """

    def __init__(
        self,
        ledger: Ledger,
        work_for: Callable[[Intent], rows.Work],
        is_settling: Callable[[Key], bool],
    ) -> None:
        self._ledger = ledger
        self._work_for = work_for
        self._is_settling = is_settling
        self._intents: dict[Key, Intent] = {}
        self._writing: dict[Key, asyncio.Future[int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._pauses: Iterator[float] = iter(PAUSES_S)
        self._has_finished = False

    def __len__(self) -> int:
        return len(self._intents)

    def __contains__(self, key: Key) -> bool:
        return key in self._intents

    def get(self, key: Key) -> Intent | None:
        """Return the order of an id."""
        return self._intents.get(key)

    def all(self) -> list[Intent]:
        """Return all of them."""
        return list(self._intents.values())

    def add(self, intent: Intent) -> None:
        """Take an order whose end could not be written."""
        self._intents[intent.key] = intent
        self._set_timer()

    def forget(self, key: Key) -> None:
        """Forget an order: another end of it was written."""
        self._intents.pop(key, None)

    def write(self) -> None:
        """Write them with the next group."""
        for key, intent in self._intents.items():
            if _is_about_to_settle(intent):
                continue  # its end was found, and is written as one with those of its commands
            if key not in self._writing and not self._is_settling(key):
                try:
                    self._begin(intent, self._work_for(intent))
                except StoreError:
                    return  # closed: the daemon ends, and its caller has an answer all the same

    async def finish(self) -> None:
        """Write them a last time, and try it no more; the log tells which are not written.

        An unknown order is written as its caller was told: see :func:`_as_told`. Nobody else will
        write its end, unless that is on its way.
        """
        self._has_finished = True
        if self._timer is not None:
            self._timer.cancel()
        self.write()
        for key, intent in self._intents.items():
            if key not in self._writing and not self._is_settling(key):
                with suppress(StoreError):  # closed
                    self._begin(intent, self._work_for(_as_told(intent)))
        if self._writing:
            await asyncio.wait(self._writing.values(), timeout=LAST_S)
        for key, intent in self._intents.items():
            id_ = intent.asked.client_order_id
            if key in self._writing or self._is_settling(key):
                logger.warning("the end of order %s is still being written", id_)
            elif intent.stage is Stage.UNKNOWN:
                logger.error("it is not written that order %s is unknown", id_)
            else:
                logger.error("the end of order %s is not written", id_)

    def _begin(self, intent: Intent, work: rows.Work) -> None:
        writing = self._ledger.write_later(rows.unless_ended(intent, work))
        self._writing[intent.key] = writing
        writing.add_done_callback(partial(self._written, intent))

    def _written(self, intent: Intent, writing: asyncio.Future[int]) -> None:
        self._writing.pop(intent.key, None)
        failure = asyncio.CancelledError() if writing.cancelled() else writing.exception()
        if isinstance(failure, StoreError):
            return  # it is tried again
        if failure is None:
            intent.row = writing.result()
        else:
            logger.error("the end of order %s is lost: %s", intent.asked.client_order_id, failure)
        if self._intents.get(intent.key) is intent:
            del self._intents[intent.key]

    def _set_timer(self) -> None:
        if self._timer is None and not self._has_finished:
            pause_s = next(self._pauses, PAUSES_S[-1])
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._try_again)

    def _try_again(self) -> None:
        self._timer = None
        if self._intents:
            self.write()
            self._set_timer()
        else:
            self._pauses = iter(PAUSES_S)


def _is_about_to_settle(intent: Intent) -> bool:
    """Whether all commands of an unknown order have ended, so that the reconciler ends it next."""
    return intent.stage is Stage.UNKNOWN and all(send.stage in ENDS for send in intent.sends)


def _as_told(intent: Intent) -> Intent:
    """Return an unknown order as its caller was told: the end of its last command was found, and
    the order's own was not concluded from it.

    What was done is written as done, for its ticket is nobody else's. Any other end would leave an
    unknown order of which no command may have been executed: the next run finds it out again.
    """
    if not _is_about_to_settle(intent) or not intent.sends:
        return intent
    *before, last = intent.sends
    if any(send.stage is Stage.DONE for send in intent.sends):
        return intent
    last = replace(last, stage=Stage.UNKNOWN, ended_ms=None)
    return replace(intent, sends=[*before, last])
