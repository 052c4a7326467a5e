"""Finder of the outcomes of changes that were sent and not answered.

The peer is asked first: it keeps what became of the last commands by their ids
(``results_get``). Where it took a command and died over it, or is another peer than the one that
was told, a booking is looked for by the tag in its comment; of other changes nothing tells whether
they were done, and a person has to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from ea_bridge.commands import NoParams, ResultsParams
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
from gateway.background import background
from gateway.backoff import Backoff
from gateway.storage.store import StoreError

from .errors import ManagerError, PeerRefused
from .journal import Entry, ManagerJournal, meaning
from .link import Link

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

logger = logging.getLogger(__name__)


class Finder:
    """Finder that works through the open rows of the journal while a peer is linked.

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
