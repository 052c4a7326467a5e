"""Finding out what became of changes that were sent and not answered.

The peer is asked first: it keeps what became of the last commands by their ids
(``results_get``). Where it took a command and died over it, a booking is looked for by the tag in
its comment; of other changes nothing tells whether they were done, and a person has to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from ea_bridge.commands import NoParams
from ea_bridge.manager_commands import (
    MAX_RESULT_IDS,
    RESULTS_GET,
    SERVER_TIME,
    TRADE_TRANSACTION,
    TRADES_USER_HISTORY,
    ResultsParams,
    StoredResult,
)
from ea_bridge.model.mt4 import HistoryParams, TradeRecord, Transacted
from ea_bridge.session import ManagerSession
from gateway.store import StoreError

from .change import meaning
from .errors import ManagerError
from .journal import Entry, Journal
from .link import Link

FIRST_S = 0.5
LAST_S = 30.0
"""Between two rounds, while something is open."""
SETTLE_MS = 60_000
"""A booking that cannot be found so long after it was sent was not made."""
BACK_S = 2 * 86_400
"""Trades are looked for from so long before, by our clock or by the server's, which may be another
zone's or plainly wrong: a booking that is overlooked would be made again."""
LAST_TIME = 2**31 - 1
PAGE = 1000

logger = logging.getLogger(__name__)


class Finder:
    """Works through the open rows of the journal while a peer is linked.

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
        journal: Journal,
        run: str,
        is_busy: Callable[[int], bool],
        now_ms: Callable[[], int],
    ) -> None:
        self._link = link
        self._journal = journal
        self._run = run
        self._is_busy = is_busy
        self._now_ms = now_ms
        self._kicked = asyncio.Event()
        self._waiting: dict[int, list[asyncio.Future[Entry]]] = {}

    def link_of(self, session: ManagerSession) -> str:
        """Return the name of a link, unique for good."""
        return f"{self._run}/{session.id}"

    def kick(self) -> None:
        """Look at once: a peer has linked, or something is open."""
        self._kicked.set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Find out while the context lasts."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    async def wait(self, entry: Entry, seconds: float) -> Entry:
        """Wait until it is known what became of a row, or some seconds; return it as it stands."""
        future: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(entry.id, []).append(future)
        self.kick()
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
        delay_s = FIRST_S
        while True:
            self._kicked.clear()
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
            delay_s = min(LAST_S, delay_s * 2) if open_ else FIRST_S
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s if open_ else None):
                    await self._kicked.wait()
                delay_s = FIRST_S

    async def look(self) -> int:
        """Go through what is open, once; return how much still is.

        Raises:
            ManagerError, StoreError: not to the end.

        """
        entries = [one for one in self._journal.open() if not self._is_busy(one.id)]
        session = self._link.live
        if not entries or session is None:
            return 0  # whoever links kicks
        left = 0
        for start in range(0, len(entries), MAX_RESULT_IDS):
            group = entries[start : start + MAX_RESULT_IDS]
            results = await self._results(group)
            for entry in group:
                stored = results.get(entry.command_id)
                settled = None if stored is None else await self._judge(entry, stored, session)
                left += settled is None
                if settled is not None:
                    self.tell(settled)
        return left

    async def _results(self, entries: Sequence[Entry]) -> dict[int, StoredResult]:
        ids = ",".join(str(one.command_id) for one in entries)
        found = await self._link.ask(RESULTS_GET, ResultsParams(ids=ids))
        return {one.id: one for one in found}

    async def _judge(
        self, entry: Entry, stored: StoredResult, session: ManagerSession
    ) -> Entry | None:
        """Settle a row if what the peer knows of it suffices; ``None`` while it does not."""
        is_same = entry.link == self.link_of(session)
        if stored.state == "done":
            if stored.ok:
                return await self._journal.settle(entry, "done", result=bytes(stored.d))
            state = meaning(stored.retcode, stored.err)
            if state != "unknown":
                return await self._journal.settle(
                    entry, state, retcode=stored.retcode, err=stored.err
                )
            return await self._by_tag(entry, stored)
        if is_same:
            return None  # its bytes may be on their way, or it is at work
        if stored.state == "absent":
            return await self._journal.settle(entry, "not_sent")
        return await self._by_tag(entry, stored)

    async def _by_tag(self, entry: Entry, stored: StoredResult) -> Entry | None:
        if entry.op != TRADE_TRANSACTION.op:
            logger.error("change %d (%s) may have been done or not", entry.id, entry.operation)
            return await self._journal.settle(entry, "lost", retcode=stored.retcode)
        trade = await self._booking(entry)
        if trade is not None:
            result = msgspec.json.encode(Transacted(order=trade.order))
            return await self._journal.settle(entry, "done", result=result)
        if self._now_ms() - entry.created_ms < SETTLE_MS:
            return None
        return await self._journal.settle(entry, "not_sent", retcode=stored.retcode)

    async def _booking(self, entry: Entry) -> TradeRecord | None:
        """Return the booking with a row's tag, if the server has it."""
        now_s, begun_s = self._now_ms() // 1000, entry.created_ms // 1000
        server_s = (await self._link.ask(SERVER_TIME, NoParams())).time
        from_s = max(0, min(begun_s, server_s - (now_s - begun_s)) - BACK_S)
        offset = 0
        while True:
            page = await self._link.ask(
                TRADES_USER_HISTORY,
                HistoryParams(
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
