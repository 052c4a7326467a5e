"""Changes: journaled, sent once, and answered from the journal when they are asked for again.

:class:`ChangeReconciler` finds out what became of changes that were sent and not answered. It asks
the peer first, which keeps what became of the last commands by their ids (``results_get``). Where
it took a command and died over it, or is another peer than the one that was told, a booking is
looked for by the tag in its comment; of other changes nothing tells whether they were done, and a
person has to look.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from ea_bridge.commands import NoParams, ResultsParams
from ea_bridge.errors import BridgeError, CommandFailed, OutcomeUnknown
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.commands import (
    MAX_RESULT_IDS,
    RESULTS_GET,
    SERVER_TIME,
    TRADE_TRANSACTION,
    TRADES_USER_HISTORY,
    StoredManagerResult,
)
from ea_bridge.mt4_manager.model import ReturnCode, TradeHistoryParams, TradeRecord, Transacted
from ea_bridge.mt4_manager.session import ManagerSession
from ea_bridge.session import LateResult
from gateway.background import Backoff, background
from gateway.storage.store import StoreError

from .errors import ChangeUnknown, KeyReused, ManagerError, PeerOffline, PeerRefused
from .journal import Change, Entry, ManagerJournal, State, meaning, new_tag
from .link import Link, explained

FIRST_S = 0.5
LAST_S = 30.0
"""Between two rounds, while something is open."""
SETTLE_S = 60.0
"""A booking that cannot be found for so long was not made. That is counted from the first look of
this run, and not by the clock of the wall: whoever sets that forward must not make a booking that
the server is at work on look like an old one."""
BACK_S = 2 * 86_400
"""Trades are looked for from so long before, by our clock or by the server's, which may be another
zone's or plainly wrong. A booking that is overlooked would be made again, so the last look is
through all that the account ever had."""
LAST_TIME = 2**31 - 1
PAGE = 1000


class ChangeReconciler:
    """ChangeReconciler that works through the open rows of the journal while a peer is linked.

    Args:
        link: to the peer.
        journal: the rows.
        run: names this run of the gateway; see :attr:`~.journal.Entry.link`.
        is_busy: whether the answer to a row's command is still being waited for here.
        now_ms: UTC milliseconds.

    """

    def __init__(
        self,
        link: Link,
        journal: ManagerJournal,
        run: str,
        is_busy: Callable[[int], bool],
        now_ms: Callable[[], int],
    ) -> None:
        self._link = link
        self._journal = journal
        self._run = run
        self._is_busy = is_busy
        self._now_ms = now_ms
        self._woken = asyncio.Event()
        self._missed_s: dict[int, float] = {}
        """When the booking of a command was first not found, by the loop's clock."""
        self._waiting: dict[int, list[asyncio.Future[Entry]]] = {}

    def link_of(self, session: ManagerSession) -> str:
        """Return the name of a link, unique for good: run, session, and the peer's fingerprint,
        which is that of its memory (empty: it tells none).
        """
        return f"{self._run}/{session.id}/{session.hello.fp}"

    def wake(self) -> None:
        """Look at once: a peer has linked, or something is open."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Find out while the context lasts."""
        async with background(self._work()):
            yield

    async def wait(self, entry: Entry, seconds: float) -> Entry:
        """Wait until it is known what became of a row, or some seconds; return it as it stands."""
        future: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(entry.id, []).append(future)
        self.wake()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return entry
        finally:
            waiting = self._waiting.get(entry.id, [])
            with suppress(ValueError):
                waiting.remove(future)
            if not waiting:
                self._waiting.pop(entry.id, None)

    def tell(self, entry: Entry) -> None:
        """Wake those who wait for a row whose outcome is known."""
        if entry.is_open:
            return
        for future in self._waiting.get(entry.id, ()):
            if not future.done():
                future.set_result(entry)

    # --- rounds ------------------------------------------------------------------------------

    async def _work(self) -> None:
        backoff = Backoff(FIRST_S, LAST_S)
        while True:
            self._woken.clear()  # before the look: what wakes us during it must not be lost
            open_ = 0
            try:
                open_ = await self.look()
            except (ManagerError, StoreError) as error:
                open_ = 1
                if self._link.is_linked or isinstance(error, StoreError):
                    logger.warning("what is open of the MT4 server stays so: %s", error)
            except Exception:  # the next round may find what this one did not
                logger.exception("what is open of the MT4 server stays so")
                open_ = 1
            if open_:
                backoff.grow()
            else:
                backoff.reset()
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.wait_s if open_ else None):
                    await self._woken.wait()
                backoff.reset()  # not reached after a time-out: then the wait goes on growing

    async def look(self) -> int:
        """Go through what is open, once; return how much still is.

        Raises:
            ManagerError, StoreError: not to the end.

        """
        entries = [entry for entry in self._journal.open() if not self._is_busy(entry.id)]
        ids = {entry.command_id for entry in entries}
        # only of what is open: the times would pile up otherwise
        self._missed_s = {id_: at_s for id_, at_s in self._missed_s.items() if id_ in ids}
        session = self._link.live
        if not entries or session is None:
            return 0  # whoever links wakes it
        left = 0
        for start in range(0, len(entries), MAX_RESULT_IDS):
            group = entries[start : start + MAX_RESULT_IDS]
            results = await self._results(group)
            if self._link.live is not session:
                return len(entries)  # it may have been another peer that answered
            for entry in group:
                stored = results.get(entry.command_id)
                settled = None if stored is None else await self._try(entry, stored, session)
                left += settled is None
                if settled is not None:
                    self.tell(settled)
        return left

    async def _results(self, entries: Sequence[Entry]) -> dict[int, StoredManagerResult]:
        ids = ",".join(str(entry.command_id) for entry in entries)
        found = await self._link.ask(RESULTS_GET, ResultsParams(ids=ids))
        return {stored.id: stored for stored in found}

    async def _try(
        self, entry: Entry, stored: StoredManagerResult, session: ManagerSession
    ) -> Entry | None:
        """Judge a row; one about which the server tells nothing must not keep back all others."""
        try:
            return await self._judge(entry, stored, session)
        except PeerRefused as error:
            if error.retcode == ReturnCode.NO_CONNECT:
                raise
            logger.warning("change %d stays open: %s", entry.id, error)
            return None

    async def _judge(
        self, entry: Entry, stored: StoredManagerResult, session: ManagerSession
    ) -> Entry | None:
        """Settle a row if what the peer knows of it suffices; ``None`` while it does not."""
        is_same = entry.link == self.link_of(session)
        if stored.state == "done":
            if stored.ok:
                return await self._journal.settle(entry, "done", result=bytes(stored.d))
            # the server itself may not have known: a trade that it accepted and has not done yet
            state = meaning(stored.retcode, stored.err)
            if state != "unknown":
                return await self._journal.settle(
                    entry, state, retcode=stored.retcode, err=stored.err
                )
            return await self._by_tag(entry, stored)
        if is_same:
            return None  # its bytes may be on their way, or it is at work
        # absent is proof only from the memory that would have had it
        if stored.state == "absent" and _is_peer_of(entry.link, session):
            return await self._journal.settle(entry, "not_sent")
        return await self._by_tag(entry, stored)

    async def _by_tag(self, entry: Entry, stored: StoredManagerResult) -> Entry | None:
        # only a booking has a comment to carry the tag: of all else nothing at the server tells
        if entry.op != TRADE_TRANSACTION.op:
            logger.error("change %d (%s) may have been done or not", entry.id, entry.operation)
            return await self._journal.settle(entry, "lost", retcode=stored.retcode)
        # the loop's clock: nobody sets it forward, and it begins anew with each run
        now_s = asyncio.get_running_loop().time()
        is_last = now_s - self._missed_s.setdefault(entry.command_id, now_s) >= SETTLE_S
        try:
            trade = await self._booking(entry, 0 if is_last else await self._since_s(entry))
        except PeerRefused as error:
            if not is_last or error.retcode != ReturnCode.BAD_ACCOUNT_INFO:
                raise
            logger.error("change %d was about an account that is gone", entry.id)
            return await self._journal.settle(entry, "lost", retcode=error.retcode)
        if trade is not None:
            result = msgspec.json.encode(Transacted(order=trade.order))
            return await self._journal.settle(entry, "done", result=result)
        if not is_last:
            return None
        return await self._journal.settle(entry, "not_sent", retcode=stored.retcode)

    async def _since_s(self, entry: Entry) -> int:
        """Return since when a booking may be there, by the server's clock."""
        now_s, begun_s = self._now_ms() // 1000, entry.created_ms // 1000
        # the earlier of two guesses: our clock at that moment, and what the server's was then
        server_s = (await self._link.ask(SERVER_TIME, NoParams())).time
        return max(0, min(begun_s, server_s - (now_s - begun_s), LAST_TIME) - BACK_S)

    async def _booking(self, entry: Entry, from_s: int) -> TradeRecord | None:
        """Return the booking with a row's tag, if the server has it."""
        offset = 0
        while True:
            page = await self._link.ask(
                TRADES_USER_HISTORY,
                TradeHistoryParams(
                    login=entry.facts["login"],
                    from_s=from_s,
                    to_s=LAST_TIME,
                    offset=offset,
                    limit=PAGE,
                ),
            )
            for trade in page.rows:
                if trade.comment.endswith(f"#{entry.tag}"):
                    return trade
            offset += len(page.rows)
            if not page.rows or offset >= page.total:
                return None


def _is_peer_of(link: str, session: ManagerSession) -> bool:
    """Whether a session's peer is the one that a link was to, and so remembers what it took. One
    that took its place, after a failure of its machine, has not seen what the other has done.
    """
    peer = session.hello.fp
    return peer != "" and link.rpartition("/")[2] == peer


CHANGE_S = 20.0
"""How long an answer is waited for; after it the peer does not begin with it either."""
FIND_S = 10.0
"""How long a caller waits for an outcome that is being found out."""
STOP_S = 2.0
"""What is under way may end, when the gateway does."""
NOT_DONE = "It was not done; send it again"

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made(Generic[R]):
    """A change that was made."""

    result: R
    replayed: bool = False
    """It was made before, under the same key."""


class Changes:
    """Maker of changes.

    Args:
        link: to the peer.
        journal: where they are written first.
        key: 32 secret bytes, for the fingerprints of requests.
        run: names this run of the gateway.
        now_ms: UTC milliseconds.

    """

    def __init__(
        self,
        link: Link,
        journal: ManagerJournal,
        *,
        key: bytes,
        run: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._link = link
        self._journal = journal
        self._key = key
        self._now_ms = now_ms
        self._sending: set[int] = set()
        self._running: dict[tuple[str, str], tuple[bytes, asyncio.Task[Made[Any]]]] = {}
        """By operator and key."""
        self._late: set[asyncio.Task[None]] = set()
        self.finder = ChangeReconciler(link, journal, run, self._sending.__contains__, now_ms)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Find out what is unknown while the context lasts; at its end what is under way ends."""
        async with self.finder.running():
            try:
                yield
            finally:
                tasks = [*(task for _, task in self._running.values()), *self._late]
                if tasks:
                    _, slow = await asyncio.wait(tasks, timeout=STOP_S)
                    for task in slow:
                        task.cancel()

    @property
    def under_way(self) -> int:
        """Number of changes that are being made; each ends by its own time limit."""
        return len(self._running)

    def is_known(self, operator: str, key: str | None) -> bool:
        """Whether a change of an operator has been sent with that key before."""
        entry = None if key is None else self._journal.find(operator, key)
        return entry is not None and entry.state != "not_sent"

    async def make(self, change: Change[P, R]) -> Made[R]:
        """Make a change, once; who asks twice with one key at a time gets one answer twice.

        It goes on where its caller has gone away.

        Raises:
            PeerOffline, PeerRefused: it was not done.
            ChangeUnknown: it may have been done.
            KeyReused: the key has another request.
            StoreError: the journal cannot be written; nothing was sent.

        """
        tag = new_tag()
        key = change.key or f"auto-{tag}"
        fingerprint = hmac.digest(self._key, change.request, "sha256")
        own_key = (change.operator, key)
        # looked up and entered without an await: of two callers with one key only one begins
        known, task = self._running.get(own_key, (fingerprint, None))
        if known != fingerprint:
            raise KeyReused
        if task is None:
            task = asyncio.create_task(self._carry_out(change, key, tag, fingerprint))
            self._running[own_key] = (fingerprint, task)
            task.add_done_callback(lambda done: self._ended(own_key, done))
        # a caller that hangs up must not stop a change between the journal and the server
        made: Made[R] = await asyncio.shield(task)
        return made

    def _ended(self, own_key: tuple[str, str], task: asyncio.Task[Made[Any]]) -> None:
        self._running.pop(own_key, None)
        if not task.cancelled():
            task.exception()  # read, or asyncio would complain where the caller has gone away

    async def _carry_out(
        self, change: Change[P, R], key: str, tag: str, fingerprint: bytes
    ) -> Made[R]:
        known = self._journal.find(change.operator, key)
        if known is not None and (known.is_open or known.state in ("done", "lost")):
            if known.fingerprint != fingerprint:
                raise KeyReused
            return await self._answer(known, change)
        # what was made before needs no turn: a repeat is answered however much waits for the peer
        async with self._link.changes:
            made = await self._begin_and_send(change, key, tag, fingerprint)
        return await self._answer(made, change) if isinstance(made, Entry) else made

    async def _begin_and_send(
        self, change: Change[P, R], key: str, tag: str, fingerprint: bytes
    ) -> Made[R] | Entry:
        """Return what was made; or the row, where it was begun before or its outcome is open."""
        session = self._link.session()
        change.recheck()  # the wait for the turn may have been long
        entry = Entry(
            key=key,
            tag=tag,
            fingerprint=fingerprint,
            operator=change.operator,
            operation=change.operation,
            op=change.command.op,
            facts=change.facts,
            command_id=session.new_command_id(),
            link=self.finder.link_of(session),
            created_ms=self._now_ms(),
        )
        begun = await self._journal.begin(entry)
        # another row came back: the key was begun while we waited, or in an earlier run
        if begun.command_id != entry.command_id:
            return begun
        return await self._send(begun, change, session)

    async def _send(
        self, entry: Entry, change: Change[P, R], session: ManagerSession
    ) -> Made[R] | Entry:
        op = change.command.op
        # the finder leaves the row alone meanwhile: its answer is still waited for here
        self._sending.add(entry.id)
        try:
            result = await session.request(
                change.command,
                change.params(entry.tag),
                timeout_s=CHANGE_S,
                before_write=change.recheck,
                command_id=entry.command_id,
            )
        except OutcomeUnknown:
            await self._settle(entry, "unknown")
        except CommandFailed as error:
            state = meaning(error.retcode, error.err)
            await self._settle(entry, state, retcode=error.retcode, err=error.err)
            if state == "not_sent":
                raise PeerOffline(NOT_DONE) from error  # it came too late, and was not begun
            if state != "unknown":
                raise PeerRefused(op, error.retcode, error.err) from error
        except BridgeError as error:
            await self._settle(entry, "not_sent")
            raise explained(op, error) from error
        except Exception:  # the operator's rights have ended meanwhile
            await self._settle(entry, "not_sent")
            raise
        else:
            await self._settle(entry, "done", result=msgspec.json.encode(result))
            return Made(result)
        finally:
            self._sending.discard(entry.id)
        return entry

    async def _answer(self, entry: Entry, change: Change[P, R]) -> Made[R]:
        """Answer from a row; one that is open is waited for."""
        entry = self._journal.get(entry.id)  # what came late may have settled it
        if entry.is_open:
            entry = await self.finder.wait(entry, FIND_S)
        if entry.state == "done":
            assert entry.result is not None  # written in the same breath
            result = msgspec.json.decode(entry.result, type=change.command.result)
            return Made(result, replayed=True)
        if entry.state == "refused":
            raise PeerRefused(entry.op, entry.retcode, entry.err)
        if entry.state == "not_sent":
            raise PeerOffline(NOT_DONE)
        raise ChangeUnknown(entry.key, is_lost=entry.state == "lost")

    async def _settle(self, entry: Entry, state: State, **facts: Any) -> None:
        """Write what became of a row. If that fails the row stays open, and is found out."""
        try:
            self.finder.tell(await self._journal.settle(entry, state, **facts))
        except StoreError as error:
            logger.error(
                "change %d is %s, and the journal cannot say so: %s", entry.id, state, error
            )

    # --- what comes late -----------------------------------------------------------------------

    def late(self, session: ManagerSession, late: LateResult) -> None:
        """Take a result that came after its caller was told that the outcome is unknown."""
        task = asyncio.create_task(self._take_late(late))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _take_late(self, late: LateResult) -> None:
        try:
            entry = self._journal.of_command(late.command_id)
        except StoreError as error:  # the peer still knows when the journal can be read again
            logger.error(
                "what came late of command %d is not looked at: %s", late.command_id, error
            )
            self.finder.wake()
            return
        # a late answer to a question has an id of the same counter, and no row
        if entry is None or entry.op != late.command.op:
            return
        if late.error is None:
            await self._settle(entry, "done", result=msgspec.json.encode(late.result))
        elif isinstance(late.error, CommandFailed):
            retcode, err = late.error.retcode, late.error.err
            await self._settle(entry, meaning(retcode, err), retcode=retcode, err=err)
        self.finder.wake()
