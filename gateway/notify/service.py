"""Service that listens, queues, and sends: one sender a recipient, each at its own pace.

The queue of notes is on the disk, ``notify.db`` in the home: one line a recipient, bounded. It is
a file of its own: nothing that waits here is ever written together with an order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeVar

import msgspec
import orjson

from ea_bridge import host
from ea_bridge.host import monotonic_s, wall_ms
from ea_bridge.registry import TerminalFacts, TerminalRegistry
from ea_bridge.session import SessionState
from gateway.audit import head_of, rows_after
from gateway.background import Backoff, background, next_look
from gateway.config import Notify
from gateway.errors import GatewayError
from gateway.notify.notes import MarginWatch, Note, TrailNotes, clean, fill
from gateway.notify.transports import DeliveryRefused, NotTaken, Transport
from gateway.storage.ledger import Ledger
from gateway.storage.store import Store, StoreError
from gateway.streams.outbox import Outbox, StreamEvent
from gateway.streams.service import Streams

DATABASE = "notify.db"
MAX_WAITING = 1000
"""Notes for one recipient; beyond that the oldest go, and their number is told."""
MAX_AGE_MS = 86_400_000
"""Older notes are news no more: they go as well."""
TABLES = (
    """
CREATE TABLE notes (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL,
    time INTEGER NOT NULL,
    note BLOB NOT NULL
) STRICT;
CREATE INDEX notes_of ON notes (recipient, n);

-- how many went unsent, until the recipient was told so
CREATE TABLE dropped (
    recipient TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;

-- the last row of the audit trail of which notes were made
CREATE TABLE trail (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    n INTEGER NOT NULL
) STRICT;
""",
)

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Note).decode


class NoteQueue:
    """The file, open; for any thread, one at a time.

    Args:
        home: the folder.

    Raises:
        StoreError: the database cannot be used; the message says what to do.

    """

    def __init__(self, home: Path) -> None:
        self._store = Store(home, TABLES, database=DATABASE, shared=True)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def keep_only(self, recipients: Collection[str]) -> None:
        """Delete what waits for recipients who are not configured any more."""
        with self._store.transaction() as connection:
            known = connection.execute(
                "SELECT recipient FROM notes UNION SELECT recipient FROM dropped"
            ).fetchall()
            for (recipient,) in known:
                if recipient not in recipients:
                    connection.execute("DELETE FROM notes WHERE recipient = ?", (recipient,))
                    connection.execute("DELETE FROM dropped WHERE recipient = ?", (recipient,))

    def trail_position(self) -> int | None:
        """Return the last row of the trail of which notes were made; ``None``: none ever was."""
        row = self._store.one("SELECT n FROM trail")
        return None if row is None else int(row["n"])

    def add(self, notes: Sequence[Note], recipients: Collection[str], trail_n: int) -> None:
        """Add notes for all recipients, and the position in the trail with them.

        Raises:
            StoreError: nothing was added.

        """
        with self._store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO trail VALUES (1, ?)", (trail_n,))
            for recipient in recipients:
                connection.executemany(
                    "INSERT INTO notes (recipient, time, note) VALUES (?, ?, ?)",
                    [(recipient, note.time, _encode(note)) for note in notes],
                )
                gone = connection.execute(
                    "DELETE FROM notes WHERE recipient = ?1 AND n <= (SELECT n FROM notes "
                    "WHERE recipient = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
                    (recipient, MAX_WAITING),
                ).rowcount
                _count(connection, recipient, gone)

    def take(self, recipient: str, most: int, now_ms: int) -> tuple[int, list[tuple[int, Note]]]:
        """Return what a recipient is to be told next, the oldest first; it stays until it is done.

        Returns:
            How many notes went unsent before these, and the notes with their numbers.

        """
        with self._store.transaction() as connection:
            gone = connection.execute(
                "DELETE FROM notes WHERE recipient = ? AND time < ?",
                (recipient, now_ms - MAX_AGE_MS),
            ).rowcount
            _count(connection, recipient, gone)
        rows = self._store.all(
            "SELECT n, note FROM notes WHERE recipient = ? ORDER BY n LIMIT ?", recipient, most
        )
        dropped = self._store.one("SELECT number FROM dropped WHERE recipient = ?", recipient)
        number = 0 if dropped is None else int(dropped["number"])
        return number, [(row["n"], _decode(row["note"])) for row in rows]

    def done(self, recipient: str, numbers: Sequence[int], dropped: int) -> None:
        """Delete notes that were taken, and forget a number that was told."""
        with self._store.transaction() as connection:
            connection.executemany("DELETE FROM notes WHERE n = ?", [(n,) for n in numbers])
            if dropped:
                connection.execute(
                    "UPDATE dropped SET number = number - ? WHERE recipient = ?",
                    (dropped, recipient),
                )
                connection.execute("DELETE FROM dropped WHERE number <= 0")


def _count(connection: Connection, recipient: str, gone: int) -> None:
    if gone > 0:
        connection.execute(
            "INSERT INTO dropped VALUES (?1, ?2) ON CONFLICT (recipient) "
            "DO UPDATE SET number = number + ?2",
            (recipient, gone),
        )


LOOK_S = 1.0
"""Between two looks at the trail and at the terminals."""
ROWS_A_LOOK = 200
"""Rows of the trail that are read at a time, in the loop: half a millisecond."""
FIRST_WAIT_S, LAST_WAIT_S = 2.0, 900.0
SILENCE_S = 86_400.0
"""A listener inside the gateway wants no heartbeat."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """The gateway itself, as the streams see a caller."""

    tid: str
    terminal: str


class TerminalListener:
    """Listener to the streams of one terminal; see :class:`gateway.streams.hub.Listener`."""

    by_header = False
    is_gone = False
    coalesces = False
    heartbeat_s = SILENCE_S

    def __init__(self, terminal: str, add: Callable[[Note], None]) -> None:
        self.terminal = terminal
        # no token's id: those have letters and digits alone
        self.tid = f"notify/{terminal}"
        self.outbox = Outbox(2**16, 16)
        self.last_sent = asyncio.get_running_loop().time()
        self.on_gone: list[Callable[[], None]] = []
        self._add = add
        self._margin = MarginWatch()

    def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
        """Make notes of events."""
        for event in events:
            told = orjson.loads(event.payload)["params"]
            if told["type"] in ("update", "snapshot"):
                note = self._note(told)
                if note is not None:
                    self._add(note)

    def _note(self, told: Mapping[str, Any]) -> Note | None:
        channel, data, time = told["channel"], told["data"], told["ts"]
        note_id = f"{told['epoch']}-{channel}-{told['seq']}"
        if channel == "account":
            return self._margin.look(note_id, self.terminal, data, time)
        # the snapshot has the positions of before
        return fill(note_id, self.terminal, data, time) if told["type"] == "update" else None

    def notify(self, text: bytes) -> None:
        """Take a heartbeat: the next one is due after as much silence."""
        self.last_sent = asyncio.get_running_loop().time()

    def end(self, code: int, reason: str) -> None:
        """Nothing is to be closed: the next look listens anew."""
        for gone in self.on_gone:
            gone()


class LinkWatch:
    """Watch over links: tells once when one has been away for long, and when it is back.

    Args:
        after_s: how long.

    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._away: dict[tuple[str, str], float] = {}
        """Since when, by terminal and by what is away."""
        self._told: set[tuple[str, str]] = set()

    def look(self, facts: Sequence[TerminalFacts], now_s: float, now_ms: int) -> list[Note]:
        """Return the notes of what has changed."""
        notes = []
        for one in facts:
            is_linked = one.state is not SessionState.DISCONNECTED
            is_away = {"terminal": not is_linked, "broker": is_linked and one.broker is False}
            for what, away in is_away.items():
                note = self._of((one.terminal, what), away, now_s, now_ms)
                if note is not None:
                    notes.append(note)
        return notes

    def _of(self, key: tuple[str, str], away: bool, now_s: float, now_ms: int) -> Note | None:
        if not away:
            self._away.pop(key, None)
            if key not in self._told:
                return None
            self._told.discard(key)
            return _link_note(key, "Link is back", "is back", now_ms)
        since_s = self._away.setdefault(key, now_s)
        if now_s - since_s < self._after_s or key in self._told:
            return None
        self._told.add(key)
        told = f"has been away for {self._after_s:g} seconds"
        return _link_note(key, "Link lost", told, now_ms)


def _link_note(key: tuple[str, str], title: str, told: str, now_ms: int) -> Note:
    terminal, what = key
    which = "link to the terminal" if what == "terminal" else "terminal's link to its broker"
    return Note(
        id=host.token_urlsafe(12),
        event="link_lost",
        time=now_ms,
        terminal=terminal,
        title=title,
        text=f"{clean(terminal)}: the {which} {told}",
        data={"link": what, "lost": title == "Link lost"},
    )


class NotifyService:
    """Notifications of a running gateway.

    Args:
        settings: which events, and after how long a link is lost.
        transports: of the recipients, by name.
        home: the folder in which the queue lies.
        gateway: names this gateway in ids.
        ledger: has the audit trail.
        registry: of the terminals.
        streams: are listened to.

    """

    def __init__(
        self,
        settings: Notify,
        transports: Mapping[str, Transport],
        *,
        home: Path,
        gateway: str,
        ledger: Ledger,
        registry: TerminalRegistry,
        streams: Streams,
    ) -> None:
        self._events = frozenset(settings.events)
        self._transports = transports
        self._home = home
        self._ledger = ledger
        self._registry = registry
        self._streams = streams
        self._links = LinkWatch(settings.link_lost_s)
        self._trail = TrailNotes(gateway)
        self._trail_n = self._kept_n = 0
        self._version: object = None
        """Of the ledger, when the trail was read to its end."""
        self._new: list[Note] = []
        """Notes that are not on the disk yet; :data:`MAX_WAITING` at most."""
        self._listeners: dict[str, TerminalListener] = {}
        self._linked = asyncio.Event()
        """A terminal may be here that was not heard yet."""
        self._waiting: set[tuple[str, int]] = set()
        self._wakes = {name: asyncio.Event() for name in transports}
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen and send while the context lasts.

        A queue that cannot be used keeps no gateway from trading: the log says so.
        """
        try:
            self._queue, kept_n = await asyncio.to_thread(self._opened)
        except StoreError as error:
            logger.error("no notifications until the next start: %s", error)
            yield
            return
        head_n = head_of(self._ledger.reader).n
        if kept_n is not None:
            # a trail that was restored may be shorter
            self._trail_n = self._kept_n = min(kept_n, head_n)
        else:
            # of what was before the first start nobody is told; the first look writes where it is
            self._trail_n, self._kept_n = head_n, head_n - ROWS_A_LOOK
        leave = self._registry.subscribe(lambda _: self._linked.set())
        try:
            async with background(self._run()):
                yield
            with suppress(StoreError):  # what the streams alone have told is lost then
                await self._keep(is_end=True)
        finally:
            leave()
            for listener in list(self._listeners.values()):
                self._forget(listener)
            self._queue.close()

    def _opened(self) -> tuple[NoteQueue, int | None]:
        queue = NoteQueue(self._home)
        try:
            queue.keep_only(self._transports)
            return queue, queue.trail_position()
        except StoreError:
            queue.close()
            raise

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            tasks.create_task(self._hear())
            for name, transport in self._transports.items():
                tasks.create_task(self._send(name, transport))

    async def _on_disk(self, work: Callable[[], T]) -> T:
        async with self._turn:
            working = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(working)
            except asyncio.CancelledError:
                # a thread cannot be cancelled: nobody may close the file before it has ended
                await asyncio.wait((working,))
                raise

    # --- what happened -------------------------------------------------------------------------

    async def _look(self) -> None:
        while True:
            try:
                self._read_trail()
                self._look_around()
                await self._keep()
                self._linked.set()
            except StoreError as error:
                logger.error("notifications wait: %s", error)
            except Exception:
                # whatever it was: the next look must come
                logger.exception("a look for notifications failed")
            await next_look(LOOK_S)

    def _read_trail(self) -> None:
        reader = self._ledger.reader
        version = reader.data_version()
        if version == self._version:
            return
        found = rows_after(reader, self._trail_n, ROWS_A_LOOK)
        self._version = version if len(found) < ROWS_A_LOOK else None
        for n, row in found:
            self._trail_n = n
            note = self._trail.of_row(n, row)
            if note is not None and note.time > wall_ms() - MAX_AGE_MS:
                self._add(note)

    def _look_around(self) -> None:
        if "link_lost" in self._events:
            for note in self._links.look(self._registry.all_facts(), monotonic_s(), wall_ms()):
                self._add(note)
        if "new_device" in self._events:
            self._look_at_pending()

    def _look_at_pending(self) -> None:
        pending = {(one.hello.tid, one.since_ms): one for one in self._registry.pending()}
        for key, one in pending.items():
            if key not in self._waiting:
                # never its code: who has that approves the machine
                text = (
                    f"{clean(one.hello.login)} at {clean(one.hello.server)}: a terminal with a "
                    "token of yours waits for approval of this machine; see the console's mail"
                )
                self._add(
                    Note(
                        id=host.token_urlsafe(12),
                        event="new_device",
                        time=wall_ms(),
                        terminal=None,
                        title="New machine",
                        text=text,
                        data={"token": one.hello.tid},
                    )
                )
        self._waiting = set(pending)

    def _add(self, note: Note) -> None:
        if note.event in self._events:
            self._new.append(note)
            del self._new[:-MAX_WAITING]

    async def _keep(self, *, is_end: bool = False) -> None:
        """Write what is new; it stays in memory if that fails."""
        # rows that are no notes are not worth a write each second
        is_far = self._trail_n - self._kept_n >= ROWS_A_LOOK
        if not (self._new or is_far or is_end):
            return
        # others may come meanwhile, behind these
        notes, self._new = self._new, []
        trail_n = self._trail_n
        try:
            await self._on_disk(partial(self._queue.add, notes, self._transports, trail_n))
        except BaseException:
            # cancelled as well: told twice is better than not at all
            self._new = [*notes, *self._new][-MAX_WAITING:]
            raise
        self._kept_n = trail_n
        for wake in self._wakes.values():
            wake.set()

    async def _hear(self) -> None:
        """Listen to terminals as soon as they are here."""
        while True:
            await self._linked.wait()
            self._linked.clear()
            for one in self._registry.all_facts():
                if one.state is SessionState.READY and one.terminal not in self._listeners:
                    try:
                        await self._listen_to(one)
                    except Exception:
                        # whatever it was: the other terminals must be heard
                        logger.exception("notifications do not hear terminal %s", one.terminal)

    async def _listen_to(self, facts: TerminalFacts) -> None:
        # fills first: they need no answer of the terminal's, and none may be missed meanwhile
        channels = [_fills(facts)] if "order_filled" in self._events else []
        channels += ["account"] if "margin_call" in self._events else []
        listener = TerminalListener(facts.terminal, self._add)
        listener.on_gone.append(lambda: self._forget(listener))
        self._listeners[facts.terminal] = listener
        self._streams.attach(listener)
        caller = _Subscriber(listener.tid, facts.terminal)
        try:
            for channel in channels:
                _, begin = await self._streams.subscribe(caller, listener, [channel])
                begin()
        except GatewayError as error:
            # the next look tries again
            logger.warning("notifications do not hear terminal %s: %s", facts.terminal, error)
            self._forget(listener)
        except BaseException:
            self._forget(listener)
            raise

    def _forget(self, listener: TerminalListener) -> None:
        self._streams.detach(listener)
        if self._listeners.get(listener.terminal) is listener:
            del self._listeners[listener.terminal]

    # --- sending -------------------------------------------------------------------------------

    async def _send(self, name: str, transport: Transport) -> None:
        backoff, wake = Backoff(FIRST_WAIT_S, LAST_WAIT_S), self._wakes[name]
        while True:
            wake.clear()
            wait_s = 0.0
            try:
                if await self._send_next(name, transport):
                    backoff.reset()
                    # what comes meanwhile goes together
                    await asyncio.sleep(transport.pause_s)
                    continue
            except NotTaken as failure:
                logger.warning("a notification waits: %s %s", name, failure)
                wait_s = max(backoff.wait_s, failure.after_s)
            except Exception:
                # whatever it was: the others must not wait for it, nor this one for ever
                logger.exception("a notification by %s failed", name)
                wait_s = backoff.wait_s
            if wait_s:
                backoff.grow()
                await asyncio.sleep(wait_s)
            else:
                await wake.wait()

    async def _send_next(self, name: str, transport: Transport) -> bool:
        """Send what waits longest; return whether there was anything."""
        take = partial(self._queue.take, name, transport.most, wall_ms())
        dropped, waiting = await self._on_disk(take)
        notes = [note for _, note in waiting]
        if dropped:
            notes.insert(0, _dropped_note(dropped))
        if not notes:
            return False
        try:
            await transport.send(notes)
        except DeliveryRefused as refusal:
            logger.error("%s refuses %d notifications: %s", name, len(notes), refusal)
        numbers = [n for n, _ in waiting]
        await self._on_disk(partial(self._queue.done, name, numbers, dropped))
        return True


def _fills(facts: TerminalFacts) -> str:
    """Return the channel that tells of fills; MetaTrader 4 has no deals."""
    return "positions" if facts.hello.platform == "mt4" else "deals"


def _dropped_note(number: int) -> Note:
    return Note(
        id=host.token_urlsafe(12),
        event="dropped",
        time=wall_ms(),
        terminal=None,
        title="Notifications were dropped",
        text=f"{number} notifications could not be sent in time, and are not sent any more",
        data={"number": number},
    )
