"""Machines: seen, approved, revoked. A machine is approved by each user for himself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.device import device_label, device_words

from .activity import ActivityLog, printable
from .database import Database, insert_missing
from .database.model import Device, Token, TokenDevice, UserDevice
from .errors import NotFound
from .events import Events, PendingEvent
from .tokens import Tokens
from .user_info import locked_user

ONLINE_S = 60
"""A device that was heard of within so long is online."""


@dataclass(frozen=True)
class DeviceInfo:
    """A machine, as one of its users may see it."""

    did: str
    label: str
    """The id in groups, for people."""
    words: str
    """To compare with what the daemon shows."""
    status: str
    """``approved`` or ``revoked``, by this user."""
    os: str
    hostname: str
    version: str
    ip: str
    first_seen_at: int
    last_seen_at: int
    approved_at: int | None
    approved_by: str
    revoked_at: int | None
    is_online: bool
    tids: tuple[str, ...]
    """The user's tokens that were used on it."""


class Devices:
    """Registry of machines, approved by each user for himself.

    Args:
        db: with the tables.
        tokens: whose versions grow with what is approved for them.
        events: tell devices.
        activity: the log.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        tokens: Tokens,
        events: Events,
        activity: ActivityLog,
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._tokens = tokens
        self._events = events
        self._activity = activity
        self._now_s = now_s

    async def seen(
        self, did: str, *, pub: str, os: str, hostname: str, version: str, ip: str
    ) -> None:
        """Note a device and what it says of itself; ``pub`` must hash to ``did``.

        It is a transaction of its own: nothing else is locked while the device's row is.
        """
        facts = {
            "os": printable(os)[:100],
            "hostname": printable(hostname)[:255],
            "version": printable(version)[:64],
            "ip": ip[:64],
            "last_seen_at": self._now_s(),
        }
        async with self._db.begin() as session:
            await insert_missing(
                session,
                Device,
                did=did,
                pub=pub,
                first_seen_at=self._now_s(),
                seq=0,
                acked_seq=0,
                **facts,
            )
            # locked before it is written: two contacts of one device must not mix their facts
            row = await session.get_one(Device, did, with_for_update=True)
            for name, value in facts.items():
                setattr(row, name, value)

    async def heard(self, did: str, ip: str) -> None:
        """Note that a device is there."""
        async with self._db.begin() as session:
            row = await session.get(Device, did, with_for_update=True)
            if row is not None:
                # the log and the alarm of a copy tell where the machine was last
                row.last_seen_at, row.ip = self._now_s(), ip[:64]

    async def public_key(self, did: str) -> str | None:
        """Return a device's public key as base64url; ``None`` if it was never heard of."""
        async with self._db.session() as session:
            return await session.scalar(select(Device.pub).where(Device.did == did))

    async def list(self, user_id: str) -> Sequence[DeviceInfo]:
        """Return the devices that a user has approved or revoked, the last seen first."""
        wanted = (
            select(UserDevice, Device)
            .join(Device)
            .where(UserDevice.user_id == user_id, UserDevice.status.in_(("approved", "revoked")))
        ).order_by(Device.last_seen_at.desc())
        async with self._db.session() as session:
            rows = (await session.execute(wanted)).all()
            # in the same session, so that both lists are of one state of the database
            used = await self._used(session, user_id)
        return [self._info(mine, row, used.get(row.did, ())) for mine, row in rows]

    async def get(self, user_id: str, did: str) -> DeviceInfo:
        """Return a device of a user.

        Raises:
            NotFound: the user has no such device.

        """
        found = [device for device in await self.list(user_id) if device.did == did]
        if not found:
            raise NotFound(_UNKNOWN)
        return found[0]

    async def revoke(self, user_id: str, did: str) -> DeviceInfo:
        """Stop a machine: none of the user's tokens works there any more.

        Raises:
            NotFound: the user has no such device.

        """
        async with self._db.begin() as session:
            await locked_user(session, user_id)
            mine = await session.get(UserDevice, (user_id, did), with_for_update=True)
            if mine is None:
                raise NotFound(_UNKNOWN)
            # revoked twice is no error, and tells the machine nothing a second time
            if mine.status != "revoked":
                await self._revoke(session, mine)
        return await self.get(user_id, did)

    async def forget(self, user_id: str, did: str) -> None:
        """Let a revoked machine ask for approval again: its daemon is told that it may.

        Raises:
            NotFound: the user has no such revoked device.

        """
        async with self._db.begin() as session:
            await locked_user(session, user_id)
            mine = await session.get(UserDevice, (user_id, did), with_for_update=True)
            if mine is None or mine.status != "revoked":
                raise NotFound("There is no such revoked machine.")
            # the row stays: its version must go on growing, or an old approval would win
            mine.status = "forgotten"
            mine.dev_ver += 1
            news: list[PendingEvent] = []
            for link, token in await self._links(session, mine):
                # pending, not revoked: by that the daemon knows that it may ask again
                link.status, link.dev_ver = "pending", link.dev_ver + 1
                news += await self._tokens.changed(session, token)
            await self._events.append(session, news)
            self._activity.note(session, "device.forgotten", user_id=user_id, did=did)

    async def status(self, session: AsyncSession, user_id: str, did: str) -> str | None:
        """Return ``approved``, ``revoked``, or ``None``: then the user has to be asked."""
        mine = await session.get(UserDevice, (user_id, did))
        return None if mine is None or mine.status == "forgotten" else mine.status

    async def approve(
        self, session: AsyncSession, token: Token, did: str, *, terminal_fp: str, by: str
    ) -> None:
        """Let a token be used on a device.

        Args:
            session: of a transaction that has locked the token's user
                (:func:`~gateway.console.user_info.locked_user`).
            token: its row.
            did: a device that :meth:`seen` has noted.
            terminal_fp: of the terminal that has proved the token.
            by: ``link``, ``code``, or ``known`` for a machine that was approved before.

        """
        await session.refresh(token, with_for_update=True)  # before the rows that hang on it
        await self._approve_machine(session, token.user_id, did, by)
        await self._approve_link(session, token.tid, did, terminal_fp, by)
        others = [
            # the device itself gets one event, that of its approval, and not two about one change
            event
            for event in await self._tokens.changed(session, token)
            if event.did != did
        ]
        rec_ver, epoch = token.rec_ver, token.epoch
        here = PendingEvent(did, "device.approved", token.user_id, token.tid, rec_ver, epoch)
        await self._events.append(session, (*others, here))
        self._activity.note(
            session, "device.approved", user_id=token.user_id, tid=token.tid, did=did, detail=by
        )

    async def _approve_machine(
        self, session: AsyncSession, user_id: str, did: str, by: str
    ) -> None:
        # a row that can be locked: of two first approvals at once the second waits for the first
        await insert_missing(
            session, UserDevice, user_id=user_id, did=did, status="", dev_ver=0, approved_by=""
        )
        mine = await session.get_one(UserDevice, (user_id, did), with_for_update=True)
        if mine.status != "approved":
            mine.status, mine.approved_at, mine.approved_by = "approved", self._now_s(), by
            mine.revoked_at, mine.dev_ver = None, mine.dev_ver + 1

    async def _approve_link(
        self, session: AsyncSession, tid: str, did: str, terminal_fp: str, by: str
    ) -> None:
        now_s = self._now_s()
        await insert_missing(
            session,
            TokenDevice,
            tid=tid,
            did=did,
            status="",
            dev_ver=0,
            terminal_fp="",
            approved_by="",
            first_seen_at=now_s,
            last_seen_at=now_s,
            lease_exp=0,
        )
        link = await session.get_one(TokenDevice, (tid, did), with_for_update=True)
        link.status, link.approved_at, link.approved_by = "approved", now_s, by
        # always counted on: the daemon takes a record only if its versions have grown
        link.terminal_fp, link.last_seen_at, link.dev_ver = terminal_fp, now_s, link.dev_ver + 1

    async def _revoke(self, session: AsyncSession, mine: UserDevice) -> None:
        mine.status, mine.revoked_at = "revoked", self._now_s()
        mine.dev_ver += 1
        news = [PendingEvent(mine.did, "device.revoked", mine.user_id)]
        for link, token in await self._links(session, mine):
            if link.status != "revoked":
                link.status, link.dev_ver = "revoked", link.dev_ver + 1
            # the other machines' records name this one, so that they change with it
            changed = await self._tokens.changed(session, token)
            # the machine itself has been told once for all tokens of the user, by the event above
            news += [event for event in changed if event.did != mine.did]
        await self._events.append(session, news)
        self._activity.note(session, "device.revoked", user_id=mine.user_id, did=mine.did)

    async def _links(
        self, session: AsyncSession, mine: UserDevice
    ) -> Sequence[Row[TokenDevice, Token]]:
        """Return the user's tokens that were used on a machine, locked."""
        links = (
            select(TokenDevice, Token)
            .join(Token)
            .where(TokenDevice.did == mine.did, Token.user_id == mine.user_id)
            .order_by(Token.tid)
            .with_for_update(of=Token)  # before the rows that hang on them
        )
        return (await session.execute(links)).all()

    async def _used(self, session: AsyncSession, user_id: str) -> dict[str, tuple[str, ...]]:
        wanted = select(TokenDevice.did, TokenDevice.tid).join(Token)
        used: dict[str, tuple[str, ...]] = {}
        rows = await session.execute(wanted.where(Token.user_id == user_id).order_by(Token.tid))
        for did, tid in rows:
            used[did] = (*used.get(did, ()), tid)
        return used

    def _info(self, mine: UserDevice, row: Device, tids: tuple[str, ...]) -> DeviceInfo:
        return DeviceInfo(
            did=row.did,
            label=device_label(row.did),
            words=device_words(row.did),
            status=mine.status,
            os=row.os,
            hostname=row.hostname,
            version=row.version,
            ip=row.ip,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            approved_at=mine.approved_at,
            approved_by=mine.approved_by,
            revoked_at=mine.revoked_at,
            # a clock that was set back makes ages negative: that counts as away
            is_online=0 <= self._now_s() - row.last_seen_at < ONLINE_S,
            tids=tids,
        )


_UNKNOWN = "There is no such machine."
