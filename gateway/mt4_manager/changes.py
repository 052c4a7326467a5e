"""Changes: journaled, sent once, and answered from the journal when they are asked for again."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from ea_bridge.errors import BridgeError, CommandFailed, OutcomeUnknown
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.session import ManagerSession
from ea_bridge.session import LateResult
from gateway.storage.store import StoreError

from .errors import ChangeUnknown, KeyReused, PeerOffline, PeerRefused
from .finder import Finder
from .journal import Change, Entry, ManagerJournal, State, meaning, new_tag
from .link import Link, explained

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
        self.finder = Finder(link, journal, run, self._sending.__contains__, now_ms)

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
