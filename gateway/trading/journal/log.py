"""All intents of all accounts: those under way, those that are unknown, those on the disk.

:class:`OrderLog` writes them in groups. :class:`UnwrittenEnds` has the ends of orders that the
disk did not take: they are told all the same, and written when that can be.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from sqlite3 import Connection
from typing import Any

from ea_bridge.host import wall_ms
from gateway.audit import Audit
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError

from . import rows, views
from .intents import (
    ENDS,
    WATCHED_MS,
    AccountKey,
    CallKey,
    CommandRecord,
    Intent,
    ManualSettlement,
    Stage,
)

Key = tuple[AccountKey, str]

PAUSES_S = (1.0, 2.0, 5.0, 10.0)
"""Between two tries while nothing else is written; the last one goes on for ever."""
LAST_S = 2.0
"""How long the gateway waits for the last try when it ends."""


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
        # another end of the same id may have been added while this one was written
        if self._intents.get(intent.key) is intent:
            del self._intents[intent.key]

    def _set_timer(self) -> None:
        if self._timer is None and not self._has_finished:
            # a disk that is full stays so for long: ever rarer, but never given up
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


OnIntent = Callable[[Intent], None]

logger = logging.getLogger(__name__)


class OrderLog:
    """The orders in the ledger; one for all terminals. For the thread of one loop.

    Args:
        ledger: with the journal's table.
        now_ms: UTC milliseconds.
        on_point: called at each point at which a crash leaves something else behind:
            ``journaled``, ``written``, ``acked``, ``result``, ``answered``, ``recorded``; and
            ``settled`` after a reconciliation.
        audit: hears of each change of an intent that is written, in the same transaction.
        on_unresolved: told of each intent whose end is not known; must not block.
        on_settled: told of each intent whose end was found later.
        on_untold: told of each whose end may have been written, and nobody else is told of it.

    """

    def __init__(
        self,
        ledger: Ledger,
        now_ms: Callable[[], int] = wall_ms,
        on_point: Callable[[str], None] | None = None,
        audit: Audit | None = None,
        on_unresolved: OnIntent = lambda _: None,
        on_settled: OnIntent = lambda _: None,
        on_untold: OnIntent = lambda _: None,
    ) -> None:
        self.now_ms = now_ms
        self.on_point = on_point or (lambda _: None)
        self.on_unresolved = on_unresolved
        self.on_settled = on_settled
        self.on_untold = on_untold
        self._ledger = ledger
        self._audit = audit or Audit()
        self._running: dict[tuple[AccountKey, str], Intent] = {}
        found = rows.unresolved(ledger.reader)
        self._unresolved = {intent.key: intent for intent in found}
        self._settling: set[tuple[AccountKey, str]] = set()
        self._unwritten = UnwrittenEnds(ledger, self._ending, self._settling.__contains__)
        self._watched = {intent.key: intent for intent in rows.watched(ledger.reader, now_ms())}
        self._accounts = rows.accounts(ledger.reader)
        self.last_command_id = rows.last_command_id(ledger.reader)
        """The largest that a command had before this run of the daemon; 0: there was none."""
        self.last_sent_ms = rows.last_sent_ms(ledger.reader)
        """When that was, in UTC milliseconds."""

    # --- accounts --------------------------------------------------------------------------------

    def account_of(self, terminal: str) -> AccountKey | None:
        """Return the account that a terminal was logged in to last."""
        return self._accounts.get(terminal)

    def note_account(self, terminal: str, account: AccountKey) -> None:
        """Remember the account that a terminal is logged in to; not that it is in none."""
        if account.login and self._accounts.get(terminal) != account:
            self._accounts[terminal] = account
            self._ledger.write_soon(partial(rows.note_account, terminal=terminal, account=account))

    # --- looking up ------------------------------------------------------------------------------

    def find(self, account: AccountKey, client_order_id: str) -> Intent | None:
        """Return what an id stands for, or stood for where it is free again.

        Raises:
            StoreError: the ledger cannot be read.

        """
        key = (account, client_order_id)
        # memory first: what it holds is newer than the disk until the end is written
        known = self._running.get(key) or self._unresolved.get(key) or self._unwritten.get(key)
        if known is not None:
            return known
        found = rows.find(self._ledger.reader, account, client_order_id)
        if found is not None and found.stage in (Stage.JOURNALED, Stage.UNKNOWN):
            self._leave_unresolved(found)  # its caller left while it was written
        return found

    def running(self, account: AccountKey) -> list[Intent]:
        """Return what is under way in an account."""
        return [intent for intent in self._in_memory(account) if intent.is_under_way]

    def running_as(self, account: AccountKey, client_order_id: str) -> Intent | None:
        """Return what is under way under an id."""
        return self._running.get((account, client_order_id))

    def is_of_another(self, account: AccountKey, terminal: str, client_order_id: str) -> bool:
        """Whether a terminal's call under an id is under way that was meant for another account
        than this, which the terminal is logged in to by now.
        """
        return any(
            intent.is_under_way
            and intent.terminal == terminal
            and intent.asked.client_order_id == client_order_id
            and intent.asked.account != account
            for intent in self._running.values()
        )

    def doubtful(self, account: AccountKey) -> list[Intent]:
        """Return those whose callers were told, or would be, that nobody knows."""
        return [intent for intent in self._unresolved.values() if intent.asked.account == account]

    def unresolved_by_terminal(self) -> Counter[str]:
        """Count all whose callers have gone, by the terminals that they went to."""
        intents = self._unresolved.values()
        return Counter(intent.terminal for intent in intents if not intent.is_under_way)

    def unresolved(self, account: AccountKey) -> list[Intent]:
        """Return those of them whose callers have gone, oldest first."""
        return [intent for intent in self.doubtful(account) if not intent.is_under_way]

    def watched(self, account: AccountKey) -> list[Intent]:
        """Return those that were settled by hand not long ago."""
        since_ms = self.now_ms() - WATCHED_MS
        # dropped as they are looked at: no timer is needed for what nobody asks for
        for key, intent in list(self._watched.items()):
            if intent.settlement is None or intent.settlement.time_ms < since_ms:
                del self._watched[key]
        return [intent for intent in self._watched.values() if intent.asked.account == account]

    def owner(self, account: AccountKey, ticket: int, but: Intent) -> str | None:
        """Return the id of another intent than this whose command has made an order.

        Raises:
            StoreError: the ledger cannot be read.

        """
        for intent in (*self._in_memory(account), *self.doubtful(account)):
            if intent is not but and any(send.ticket == ticket for send in intent.sends):
                return intent.asked.client_order_id
        found = rows.owner(self._ledger.reader, account, ticket)
        return None if found == but.asked.client_order_id else found

    def claimed(self, account: AccountKey, tickets: set[int]) -> set[int]:
        """Return which of the tickets belong to commands whose results are known."""
        known = {
            send.ticket
            for intent in (*self._in_memory(account), *self.doubtful(account))
            for send in intent.sends
            if send.ticket is not None
        }
        # an end is in memory before it is on the disk, so both are asked
        return rows.claimed(self._ledger.reader, account, tickets) | (known & tickets)

    def exits(self, account: AccountKey, position: int) -> dict[int, Stage]:
        """Return the commands that were to close a position, by their ids, and how they stand."""
        running = {
            send.command_id: send.stage
            for intent in self._in_memory(account)
            for send in intent.sends
            if send.exited == position
        }
        # memory wins: its stages are newer than those of the rows
        return rows.exits(self._ledger.reader, account, position) | running

    def _in_memory(self, account: AccountKey) -> list[Intent]:
        known = (*self._running.values(), *self._unwritten.all())
        return [intent for intent in known if intent.asked.account == account]

    # --- the life of an intent -------------------------------------------------------------------

    def take(self, asked: CallKey, terminal: str, *, is_own: bool = False) -> Intent:
        """Take an intent that is about to be worked on. Nothing is written yet."""
        now_ms = self.now_ms()
        intent = Intent(
            asked=asked,
            terminal=terminal,
            created_ms=now_ms,
            updated_ms=now_ms,
            is_own=is_own,
            over=asyncio.get_running_loop().create_future(),
        )
        # from now on a second call of the id finds this one, and waits for it
        self._running[intent.key] = intent
        return intent

    async def write_command(self, intent: Intent, send: CommandRecord) -> None:
        """Write a command that is about to be sent; return when it is on the disk.

        Raises:
            StoreError, IdTaken: it is not, and must not be sent.

        """
        if intent.key in self._unwritten:
            self._unwritten.write()  # in the same group, and before: its id was free again
        noted = views.noted(intent, send)
        work = self._with_note(rows.inserting(intent, send), noted)
        intent.row = await self._ledger.write(work, is_small=True, adds_risk=send.adds_risk)
        intent.stage = Stage.JOURNALED
        # after the commit: a command that is not on the disk was never sent
        intent.sends.append(send)
        self.on_point("journaled")

    async def end(self, intent: Intent, stage: Stage, answer: bytes | None) -> None:
        """Note how an intent has ended, and let its caller go as soon as that is safe.

        An id that is free again, and an answer that no command stands for, must be on the disk
        before they are told. Of any other a crash leaves what leads to the same end. What cannot
        be written is told all the same, for it is so: this run of the daemon knows it, and writes
        it as soon as it can.
        """
        intent.stage, intent.answer, intent.updated_ms = stage, answer, self.now_ms()
        if intent.row is None and stage is Stage.NOT_SENT:
            # nothing is on the disk: a crash leaves the id free as well
            self._let_go(intent)
            return
        # at once: new orders of its symbol wait from now on
        if stage is Stage.UNKNOWN:
            self._unresolved[intent.key] = intent
        if intent.row is not None and stage is not Stage.NOT_SENT:
            # what is on the disk leads to the same end after a crash, so nobody waits for this
            self._write_end_later(intent)
            self._answered(intent)
            if stage is Stage.UNKNOWN:
                self.on_unresolved(intent)
            return
        # shielded: if its caller leaves, the id is not let go before this is on the disk
        await asyncio.shield(self._write_end(intent))

    async def _write_end(self, intent: Intent) -> None:
        try:
            intent.row = await self._ledger.write(self._ending(intent))
        except (StoreError, rows.IdTaken) as error:
            logger.exception("the end of order %s is not written", intent.asked.client_order_id)
            # an id that somebody else has taken is not tried again
            if isinstance(error, StoreError):
                self._unwritten.add(intent)
        else:
            self._unwritten.write()
        finally:
            self._let_go(intent)

    def doubt(self, intent: Intent) -> None:
        """Mark an unsent intent as unknown, because a crash may bring back its failed write.

        Nothing was sent for it. Its end is written by who finds out what is unknown: as soon as
        that is on the disk no kill brings back what failed before it.
        """
        intent.stage, intent.updated_ms = Stage.UNKNOWN, self.now_ms()
        self._let_go(intent)
        self._leave_unresolved(intent)

    def _write_end_later(self, intent: Intent) -> None:
        try:
            writing = self._ledger.write_later(self._ending(intent))
        except StoreError:
            logger.exception("the end of order %s is not written", intent.asked.client_order_id)
        else:
            writing.add_done_callback(partial(self._ended, intent))

    def _ending(self, intent: Intent) -> rows.Work:
        """Return what writes how an intent stands, whether it is there or not."""
        is_new = intent.row is None
        work = rows.inserting(intent, None) if is_new else rows.updating(intent)
        return self._with_note(work, views.noted(intent))

    def _with_note(self, work: rows.Work, noted: dict[str, Any]) -> rows.Work:
        """Have a change of an intent noted in the audit trail, in its own transaction."""

        def both(connection: Connection) -> int:
            row = work(connection)
            self._audit.record_with(connection, "order", **noted)
            return row

        return both

    def _ended(self, intent: Intent, writing: asyncio.Future[int]) -> None:
        if writing.cancelled() or writing.exception() is not None:
            logger.error("the end of order %s is not written", intent.asked.client_order_id)
            self._unwritten.add(intent)
            self._let_go(intent)
            return
        self.on_point("recorded")
        self._let_go(intent)
        self._unwritten.write()

    async def finish(self) -> None:
        """Write what could not be written, a last time; the gateway ends."""
        await self._unwritten.finish()

    def _answered(self, intent: Intent) -> None:
        if intent.over is not None and not intent.over.done():
            intent.over.set_result(None)

    def _let_go(self, intent: Intent) -> None:
        self._answered(intent)
        # the id may be under way again by now, for another call
        if self._running.get(intent.key) is intent:
            del self._running[intent.key]

    def _leave_unresolved(self, intent: Intent) -> None:
        self._unresolved[intent.key] = intent
        self.on_unresolved(intent)

    async def settle(
        self,
        intent: Intent,
        stage: Stage,
        answer: bytes | None,
        *,
        sends: list[CommandRecord] | None = None,
        settlement: ManualSettlement | None = None,
    ) -> bool:
        """Note the end of an intent that was found later; return whether that was done.

        Nobody is told of it before it is on the disk: until then other orders wait for it.

        Args:
            intent: the one.
            stage: how it has ended.
            answer: what its caller is told.
            sends: its commands as they are then, if not as they are now.
            settlement: what a person says of it, or has said.

        Raises:
            StoreError: it is not written; try again.

        """
        if intent.key in self._settling:
            return False  # by another terminal of the account, or by a person
        # a copy: until it is written, other orders of the symbol wait for an unknown one
        found = replace(
            intent,
            stage=stage,
            answer=answer,
            updated_ms=self.now_ms(),
            reconciled=True,
            sends=sends or intent.sends,
            settlement=settlement or intent.settlement,
        )
        self._settling.add(intent.key)
        try:
            intent.row = await self._ledger.write(self._ending(found))
        except asyncio.CancelledError:
            self.on_untold(intent)
            raise
        finally:
            self._settling.discard(intent.key)
        # the end that was found is on the disk: none that failed before may follow it
        self._unwritten.forget(intent.key)
        intent.stage, intent.answer, intent.updated_ms = stage, answer, found.updated_ms
        intent.sends, intent.settlement, intent.reconciled = found.sends, found.settlement, True
        if self._unresolved.get(intent.key) is intent:
            del self._unresolved[intent.key]
        if intent.settlement is not None and intent.settlement.is_watched:
            self._watched[intent.key] = intent
        else:
            self._watched.pop(intent.key, None)
        logger.info("order %s was found out: %s", intent.asked.client_order_id, stage.value)
        self.on_point("settled")
        self.on_settled(intent)
        return True

    async def confirm(self, intent: Intent, settlement: ManualSettlement) -> None:
        """Store that a manual settlement is confirmed, unless another end is being written now.

        Raises:
            StoreError: it is not written; try again.
        """
        if intent.key in self._settling:
            return
        self._settling.add(intent.key)
        try:
            await self._ledger.write(rows.updating(replace(intent, settlement=settlement)))
        finally:
            self._settling.discard(intent.key)
        intent.settlement = settlement
        self._watched.pop(intent.key, None)
