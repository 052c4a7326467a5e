"""Events for devices: signed, and counted for each device from 1 without gaps.

An event is written in the transaction of the change that it tells of. Once that is on disk, who
waits for the device's events is woken, in this process and in others on the same database. A
wake-up that is lost delays an event and loses none: the device gets it with its next question.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.background import background
from gateway.credentials.daemon_api import MAX_EVENTS, EventAck
from gateway.credentials.event import ENDING, ConsoleEvent, EventType
from gateway.credentials.record import AUDIENCE

from .database import Database, after_commit
from .database.model import Device, DeviceEvent, Token, TokenDevice
from .errors import NotFound
from .ids import uid_hash
from .signing import ISSUER, Signing

logger = logging.getLogger(__name__)

CHANNEL = "mtgw_events"
POLL_S = 0.25
"""How often SQLite is asked whether another process wrote; PostgreSQL tells by itself."""
CHECK_S = 5.0
"""How often it is checked that PostgreSQL still could."""


class EventNotifier:
    """Notifier of those who wait for a device's events.

    Args:
        db: over which other processes are heard.

    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._callbacks: dict[str, list[Callable[[], None]]] = {}

    def subscribe(self, did: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Register a callback; returns how to take it back, which may be done twice."""
        self._callbacks.setdefault(did, []).append(callback)

        def end() -> None:
            callbacks = self._callbacks.get(did, [])
            if callback in callbacks:
                callbacks.remove(callback)
            if not callbacks:
                self._callbacks.pop(did, None)

        return end

    def wake(self, dids: Iterable[str]) -> None:
        """Call those who wait for these devices; one that fails keeps no other from it."""
        for did in dids:
            # a copy: a callback may end its own subscription while it is called
            for callback in tuple(self._callbacks.get(did, ())):
                try:
                    callback()
                except Exception:
                    logger.exception("what waits for events of device %.8s failed", did)

    async def announce(self, session: AsyncSession, dids: Iterable[str]) -> None:
        """Tell other processes, once the transaction is on disk."""
        if not self._db.is_sqlite:
            for did in dids:
                notify = text("SELECT pg_notify(:channel, :did)")
                await session.execute(notify, {"channel": CHANNEL, "did": did})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear other processes until the block ends."""
        async with background(self._listen()):
            yield

    async def _listen(self) -> None:
        listen = self._poll_sqlite if self._db.is_sqlite else self._listen_postgresql
        while True:
            try:
                await listen()
            except Exception as error:  # drivers have errors of their own; the next try may do
                logger.warning("events of other processes are not heard now: %r", error)
            await asyncio.sleep(CHECK_S)
            self.wake(tuple(self._callbacks))

    async def _poll_sqlite(self) -> None:
        """Look who has new events whenever another connection wrote: perhaps another process."""
        async with self._db.engine.connect() as connection:
            version, seqs = 0, dict[str, int]()
            while True:
                before, version = version, await connection.scalar(text("PRAGMA data_version"))
                if version != before:
                    rows = await connection.execute(select(Device.did, Device.seq))
                    fresh = {did: seq for did, seq in rows}
                    # SQLite's number tells that somebody wrote, not who or what
                    self.wake(did for did, seq in fresh.items() if seqs.get(did, 0) != seq)
                    seqs = fresh
                # without it the read transaction stays open, and the WAL only grows
                await connection.rollback()
                await asyncio.sleep(POLL_S)

    async def _listen_postgresql(self) -> None:
        async with self._db.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await driver.add_listener(CHANNEL, self._heard)
            try:
                # what was told before we listened
                self.wake(tuple(self._callbacks))
                while not driver.is_closed():  # noqa: ASYNC110 (the driver tells no event)
                    await asyncio.sleep(CHECK_S)
            finally:
                if not driver.is_closed():
                    await driver.remove_listener(CHANNEL, self._heard)

    def _heard(self, _connection: object, _pid: int, _channel: str, did: str) -> None:
        self.wake((did,))


KEEP_S = 30 * 86_400
"""So long an event is kept that the device has acknowledged."""


@dataclass(frozen=True)
class PendingEvent:
    """Event for one device that is not numbered and signed yet."""

    did: str
    type: EventType
    user_id: str | None = None
    """Whose tokens it is about."""
    tid: str | None = None
    """``None`` for every token of the user on this device."""
    rec_ver: int = 0
    epoch: int = 0


@dataclass(frozen=True)
class Confirmation:
    """Answer of a device about whether it has stopped, for a page."""

    did: str
    hostname: str
    type: str
    tid: str | None
    asked_at: int
    stopped_at_ms: int | None
    """By the device's own clock; ``None``: not confirmed, but it ends by :attr:`ends_by`."""
    acked_at: int | None
    ends_by: int
    closed_ws: int
    closed_bridge: int
    orders_in_flight: int


class Events:
    """Events of devices: written, given and confirmed.

    Args:
        db: keeps them.
        signing: signs them when they are written.
        waking: wakes who waits for them.
        now_s: seconds since 1970.

    """

    def __init__(
        self, db: Database, signing: Signing, waking: EventNotifier, now_s: Callable[[], int]
    ) -> None:
        self._db = db
        self._signing = signing
        self._waking = waking
        self._now_s = now_s

    async def append(self, session: AsyncSession, news: Sequence[PendingEvent]) -> None:
        """Write events within the caller's transaction, which alone may write events meanwhile.

        Args:
            session: of the transaction.
            news: in any order; devices are told in the order of their ids, so that two
                transactions never wait for each other.

        """
        if not news:
            return
        # one key for all events of a transaction, read in it: a rotation comes before or after all
        signer = await self._signing.signer(session)
        for pending in sorted(news, key=lambda pending: pending.did):
            # numbered within the transaction: one that is rolled back leaves no gap
            event = ConsoleEvent(
                v=1,
                iss=ISSUER,
                aud=AUDIENCE,
                did=pending.did,
                seq=await self._next(session, pending.did),
                type=pending.type,
                tid=pending.tid,
                uid_hash="" if pending.user_id is None else uid_hash(pending.user_id),
                rec_ver=pending.rec_ver,
                epoch=pending.epoch,
                iat=self._now_s(),
            )
            session.add(
                DeviceEvent(
                    did=pending.did,
                    seq=event.seq,
                    type=pending.type,
                    user_id=pending.user_id,
                    tid=pending.tid,
                    iat=event.iat,
                    envelope=signer.sign("evt", event.model_dump(mode="json")),
                    ends_by=await self._ends_by(session, pending),
                )
            )
        await session.flush()
        dids = sorted({event.did for event in news})
        # PostgreSQL delivers it at the commit, and drops it with a transaction that is rolled back
        await self._waking.announce(session, dids)
        # after it: who is woken reads the table at once, and must find the event there
        after_commit(session, lambda: self._waking.wake(dids))

    async def since(self, did: str, seq: int, limit: int = MAX_EVENTS) -> list[str]:
        """Return the envelopes after ``seq``, in their order."""
        async with self._db.session() as session:
            return await self.since_in(session, did, seq, limit)

    async def since_in(
        self, session: AsyncSession, did: str, seq: int, limit: int = MAX_EVENTS
    ) -> list[str]:
        """Return the envelopes after ``seq``, in their order."""
        later = select(DeviceEvent.envelope).where(DeviceEvent.did == did, DeviceEvent.seq > seq)
        return list(await session.scalars(later.order_by(DeviceEvent.seq).limit(limit)))

    async def last(self, did: str) -> int:
        """Return the number of a device's newest event; 0 if there is none."""
        async with self._db.session() as session:
            return await session.scalar(select(Device.seq).where(Device.did == did)) or 0

    async def acknowledge(self, did: str, acks: Sequence[EventAck]) -> None:
        """Note what a device says that it has done; the first word on an event counts.

        Its clock may be wrong, or it may lie: it stopped after it was asked and before we heard.
        """
        if not acks:
            return
        # the last millisecond of this second: our own clock is read in whole seconds
        asked_ms, heard_ms = DeviceEvent.iat * 1000, self._now_s() * 1000 + 999
        async with self._db.begin() as session:
            for ack in sorted(acks, key=lambda ack: ack.seq):
                at_ms = min(ack.at_ms, heard_ms)
                await session.execute(
                    update(DeviceEvent)
                    .where(
                        DeviceEvent.did == did,
                        DeviceEvent.seq == ack.seq,
                        # the first word counts: told again, it must not move the time
                        DeviceEvent.acked_at.is_(None),
                    )
                    .values(
                        acked_at=self._now_s(),
                        stopped_at_ms=case((asked_ms > at_ms, asked_ms), else_=at_ms),
                        closed_ws=ack.closed_ws,
                        closed_bridge=ack.closed_bridge,
                        orders_in_flight=ack.orders_in_flight,
                    )
                )
            device = await session.get(Device, did, with_for_update=True)
            if device is not None:
                newest = max(ack.seq for ack in acks)
                # never beyond what was sent, or that would be forgotten unread
                device.acked_seq = max(device.acked_seq, min(device.seq, newest))

    async def confirmation(
        self, user_id: str, *, tid: str | None = None, did: str | None = None, limit: int = 50
    ) -> list[Confirmation]:
        """Return whether devices have obeyed the newest endings of a user's token or device.

        Args:
            user_id: whose.
            tid: of one token, where it was ended by itself; what ended the device or the user is
                not about one token.
            did: of one device.
            limit: of lines.

        """
        wanted = (
            select(DeviceEvent, Device.hostname)
            .join(Device)
            .where(DeviceEvent.user_id == user_id, DeviceEvent.type.in_(ENDING))
            # several endings of one second have an order only by their number
            .order_by(DeviceEvent.iat.desc(), DeviceEvent.seq.desc())
            .limit(limit)
        )
        if tid is not None:
            wanted = wanted.where(DeviceEvent.tid == tid)
        if did is not None:
            wanted = wanted.where(DeviceEvent.did == did)
        async with self._db.session() as session:
            rows = (await session.execute(wanted)).all()
        return [_confirmation(row, hostname) for row, hostname in rows]

    def subscribe(self, did: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Have something called whenever a device has new events; returns how to end that.

        It is called once too often rather than once too seldom: ask :meth:`since` then.
        """
        return self._waking.subscribe(did, callback)

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget what was acknowledged long ago."""
        # what was not acknowledged stays for ever: the machine may be switched on in a year
        old = DeviceEvent.iat < self._now_s() - KEEP_S
        acked = select(Device.acked_seq).where(Device.did == DeviceEvent.did).scalar_subquery()
        await session.execute(
            delete(DeviceEvent)
            .where(old, DeviceEvent.seq <= acked)
            .execution_options(synchronize_session=False)
        )

    async def _next(self, session: AsyncSession, did: str) -> int:
        """Count on: the row stays locked until the transaction ends, so that no gap opens."""
        # the database counts, not this process: two processes on it must not give one number twice
        counted = update(Device).where(Device.did == did).values(seq=Device.seq + 1)
        seq = await session.scalar(
            counted.returning(Device.seq).execution_options(synchronize_session=False)
        )
        if seq is None:
            raise NotFound("There is no such machine.")
        return seq

    async def _ends_by(self, session: AsyncSession, news: PendingEvent) -> int:
        # the last lease handed out: by its end the device stops, told or not
        leases = select(func.max(TokenDevice.lease_exp)).where(TokenDevice.did == news.did)
        if news.tid is not None:
            leases = leases.where(TokenDevice.tid == news.tid)
        elif news.user_id is not None:
            leases = leases.join(Token).where(Token.user_id == news.user_id)
        return max(self._now_s(), await session.scalar(leases) or 0)


def _confirmation(row: DeviceEvent, hostname: str) -> Confirmation:
    return Confirmation(
        did=row.did,
        hostname=hostname,
        type=row.type,
        tid=row.tid,
        asked_at=row.iat,
        stopped_at_ms=row.stopped_at_ms,
        acked_at=row.acked_at,
        ends_by=row.ends_by,
        closed_ws=row.closed_ws or 0,
        closed_bridge=row.closed_bridge or 0,
        orders_in_flight=row.orders_in_flight or 0,
    )
