"""Signed records, leases and offers: the documents by which a daemon may use a token.

They are made from the tables whenever they are asked for. A record says what a token may do, a
lease lets one device use it for a quarter of an hour. :class:`DeviceOffers` answers a daemon's
``sync``: records, server keys, leases and the list of the device's tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.daemon_api import TokenOffer
from gateway.credentials.envelope import encode64
from gateway.credentials.event import DeviceState
from gateway.credentials.lease import LEASE_S, RENEW_S, Lease
from gateway.credentials.record import AUDIENCE, Device, Offline, Record, Status, TradeLimits
from gateway.credentials.secrets import Place, SecretBox

from .database import Database
from .database.model import Device as DeviceRow
from .database.model import Token, TokenDevice, User, UserDevice
from .errors import NotFound
from .ids import new_id, uid_hash
from .signing import ISSUER, Signer, Signing


class LeaseIssuer:
    """Issuer of leases.

    Args:
        records: knows who may have one.
        signing: signs them.
        now_s: seconds since 1970.

    """

    def __init__(self, records: TokenRecords, signing: Signing, now_s: Callable[[], int]) -> None:
        self._records = records
        self._signing = signing
        self._now_s = now_s

    async def make(self, session: AsyncSession, tid: str, did: str) -> str | None:
        """Return a lease, and note its end; ``None`` if the token may not be used there.

        Args:
            session: of a transaction: a revocation comes before it or after it.
            tid: a token that lives, of a user who is active.
            did: a device that the user has approved for it.

        """
        # locked: a revocation that runs now sees this lease's end, or prevents it
        standing = await self._records.standing(session, tid, did, lock=True)
        if standing is None:
            return None
        return self.make_for(standing, await self._signing.signer(session))

    def make_for(self, standing: Standing, signer: Signer) -> str | None:
        """Return a lease for what :class:`TokenRecords` has locked in the same transaction."""
        now_s, token, link = self._now_s(), standing.token, standing.link
        if not standing.is_usable(now_s):
            return None
        # no lease outlives its token, so that a daemon without a link stops on time
        exp = now_s + LEASE_S if token.exp is None else min(now_s + LEASE_S, token.exp)
        lease = Lease(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            lid=new_id(),
            tid=token.tid,
            did=link.did,
            rec_ver=token.rec_ver,
            dev_ver=standing.dev_ver,
            epoch=token.epoch,
            iat=now_s,
            nbf=now_s,
            exp=exp,
            renew_after=min(now_s + RENEW_S, exp),
            server_time=now_s,
        )
        # noted in the transaction that signs it: a revocation tells by when it ends by itself
        link.lease_exp = exp
        # a clock that was set back must not make a machine look away
        link.last_seen_at = max(link.last_seen_at, now_s)
        return signer.sign("lease", lease.model_dump(mode="json"))


@dataclass(frozen=True)
class DeviceOffer:
    """Answer to a daemon's ``sync``, without its events."""

    keys: str
    state: str
    tokens: tuple[TokenOffer, ...]


class DeviceOffers:
    """Maker of offers: all that a device may have now.

    Args:
        db: with the tables.
        box: opens server keys.
        records: of the tokens.
        leases: for those that may be used.
        signing: has the key set.

    """

    def __init__(
        self,
        db: Database,
        box: SecretBox,
        records: TokenRecords,
        leases: LeaseIssuer,
        signing: Signing,
    ) -> None:
        self._db = db
        self._box = box
        self._records = records
        self._leases = leases
        self._signing = signing

    async def make(self, did: str, nonce: str = "") -> DeviceOffer:
        """Return what holds for a device now, in answer to a question with that nonce.

        It is one transaction of its own, which locks the device's tokens first: a revocation
        comes before it, and there is no lease, or after it, and its event says when that ends.
        """
        async with self._db.begin() as session:
            # locked before anything is signed: the whole answer holds at one moment
            known = await self._records.known_to(session, did, lock=True)
            signer = await self._signing.signer(session)
            tokens = [await self._offer(session, standing, signer) for standing in known]
            state = await self._records.state(session, did, known, signer, nonce)
            return DeviceOffer(await self._signing.key_set_in(session), state, tuple(tokens))

    async def _offer(
        self, session: AsyncSession, standing: Standing, signer: Signer
    ) -> TokenOffer:
        tid = standing.token.tid
        lease = self._leases.make_for(standing, signer)
        record = await self._records.record_for(session, standing.token, standing.user)
        # only with a lease: by it a machine proves to the EA that it may use the token
        key = self._box.open(standing.token.server_key, server_key_place(tid)) if lease else None
        return TokenOffer(
            tid=tid,
            record=signer.sign("rec", record.payload()),
            server_key=None if key is None else encode64(key),
            lease=lease,
        )


MAX_DEVICES = 20
"""Told in one record: the approved ones first, then the last used."""
MAX_KNOWN = 400
"""Tokens told to one device: those that work first, then the newest."""


@dataclass(frozen=True)
class Standing:
    """A token on a device, with all that decides whether it may be used there."""

    token: Token
    user: User
    link: TokenDevice
    user_device: UserDevice | None

    @property
    def is_approved(self) -> bool:
        """Whether the user lets the token be used on the device."""
        return (
            self.link.status == "approved"
            and self.user_device is not None
            and self.user_device.status == "approved"
        )

    @property
    def dev_ver(self) -> int:
        """Grows with each change of either approval."""
        return self.link.dev_ver + (self.user_device.dev_ver if self.user_device else 0)

    def is_usable(self, now_s: int) -> bool:
        """Whether a lease may be given."""
        return self.is_approved and is_live(self.token, self.user, now_s)


def is_live(token: Token, user: User, now_s: int) -> bool:
    """Whether a token opens anything at a time."""
    return (
        user.status == "active"
        # superseded ones work until their end: the EA has to be given the new token by hand
        and token.status in ("active", "superseded")
        and (token.exp is None or now_s < token.exp)
    )


def server_key_place(tid: str) -> Place:
    """Return the place where a token's server key lies sealed."""
    return Place("tokens", tid, "server_key")


class TokenRecords:
    """Maker of records, each from the tables of the moment.

    Args:
        db: with the tables.
        signing: signs them.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, signing: Signing, now_s: Callable[[], int]) -> None:
        self._db = db
        self._signing = signing
        self._now_s = now_s

    async def envelope(self, tid: str) -> str:
        """Return the signed record of a token.

        Raises:
            NotFound: there is no such token.

        """
        async with self._db.session() as session:
            record = await self.record(session, tid)
            return (await self._signing.signer(session)).sign("rec", record.payload())

    async def record(self, session: AsyncSession, tid: str) -> Record:
        """Return the record of a token.

        Raises:
            NotFound: there is no such token.

        """
        wanted = select(Token, User).join(User).where(Token.tid == tid)
        found = (await session.execute(wanted)).first()
        if found is None:
            raise NotFound("There is no such token.")
        token, user = found
        return await self.record_for(session, token, user)

    async def record_for(self, session: AsyncSession, token: Token, user: User) -> Record:
        """Return the record of a token whose rows are at hand."""
        return _record(token, user, await self._devices(session, token, user))

    async def standing(
        self, session: AsyncSession, tid: str, did: str, *, lock: bool = False
    ) -> Standing | None:
        """Return how a token stands on a device; ``None`` if it was never used there.

        Args:
            session: to read with.
            tid: the token.
            did: the device.
            lock: keep others from changing the token until the transaction ends.

        """
        if lock:
            await _lock(session, did)
        rows = await session.execute(_standings(did).where(Token.tid == tid))
        found = rows.first()
        return None if found is None else Standing(*found)

    async def known_to(
        self, session: AsyncSession, did: str, *, lock: bool = False
    ) -> list[Standing]:
        """Return all tokens that a device may know, by the time of their making."""
        if lock:
            await _lock(session, did)
        rows = await session.execute(_standings(did))
        now_s = self._now_s()
        known = [Standing(*row) for row in rows]
        # those that work are never cut off, however many ended ones a device has seen
        known.sort(
            key=lambda standing: (not standing.is_usable(now_s), -standing.token.created_at)
        )
        return sorted(
            known[:MAX_KNOWN], key=lambda standing: (standing.token.created_at, standing.token.tid)
        )

    async def state(
        self,
        session: AsyncSession,
        did: str,
        known: list[Standing],
        signer: Signer,
        nonce: str = "",
    ) -> str:
        """Return the signed list of the tokens that a device may know, as an answer to it now."""
        # in the tokens' transaction: the list stands for all events up to this number
        seq = await session.scalar(select(DeviceRow.seq).where(DeviceRow.did == did)) or 0
        state = DeviceState(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            did=did,
            seq=seq,
            iat=self._now_s(),
            tids=tuple(standing.token.tid for standing in known),
            nonce=nonce,
        )
        return signer.sign("state", state.model_dump(mode="json"))

    async def _devices(
        self, session: AsyncSession, token: Token, user: User
    ) -> tuple[Device, ...]:
        wanted = (
            select(TokenDevice, UserDevice, DeviceRow)
            .join(DeviceRow, DeviceRow.did == TokenDevice.did)
            .outerjoin(
                UserDevice,
                (UserDevice.did == TokenDevice.did) & (UserDevice.user_id == user.id),
            )
            .where(TokenDevice.tid == token.tid)
        )
        rows = await session.execute(wanted)
        devices = [(Standing(token, user, link, mine), row) for link, mine, row in rows]
        # a record has a bound: approved machines never fall out of it for those that were refused
        devices.sort(key=lambda pair: (not pair[0].is_approved, -pair[0].link.last_seen_at))
        return tuple(_device(standing, row) for standing, row in devices[:MAX_DEVICES])


async def _lock(session: AsyncSession, did: str) -> None:
    """Let nobody change a device's tokens meanwhile, nor what decides about them.

    Every change of a token, its user or its devices locks the token. It is a statement of its
    own: what is read in the same one as a lock that had to be waited for may be outdated.
    """
    tids = select(Token.tid).join(TokenDevice).where(TokenDevice.did == did)
    await session.execute(tids.order_by(Token.tid).with_for_update(read=True, of=Token))


def _standings(did: str) -> Select[Token, User, TokenDevice, UserDevice]:
    return (
        select(Token, User, TokenDevice, UserDevice)
        .join(User, User.id == Token.user_id)
        .join(TokenDevice, TokenDevice.tid == Token.tid)
        .outerjoin(
            UserDevice,
            (UserDevice.did == TokenDevice.did) & (UserDevice.user_id == Token.user_id),
        )
        .where(TokenDevice.did == did)
        # rows that this session has read before the lock are outdated: read them again
        .execution_options(populate_existing=True)
    )


def _device(standing: Standing, row: DeviceRow) -> Device:
    return Device(
        did=row.did,
        pub=row.pub,
        terminal_fp=standing.link.terminal_fp,
        dev_ver=standing.dev_ver,
        status=_device_status(standing),
        approved_at=standing.link.approved_at,
        approved_by=standing.link.approved_by,
    )


def _device_status(standing: Standing) -> Literal["pending", "approved", "revoked"]:
    """``pending``: it may ask its owner, once more perhaps."""
    if standing.is_approved:
        return "approved"
    return "pending" if standing.link.status == "pending" else "revoked"


def _record(token: Token, user: User, devices: tuple[Device, ...]) -> Record:
    return Record(
        v=1,
        iss=ISSUER,
        aud=AUDIENCE,
        tid=token.tid,
        uid_hash=uid_hash(token.user_id),
        label=token.label,
        platform=token.platform,  # type: ignore[arg-type]  # checked when it was made
        rec_ver=token.rec_ver,
        status=_status(token, user),
        created_at=token.created_at,
        exp=token.exp,
        scopes=json.loads(token.scopes),
        stored_key=token.stored_key,
        server_key_sha256=token.server_key_sha256,
        strict_terminal=token.strict_terminal,
        limits=TradeLimits.model_validate_json(token.limits),
        offline=Offline.model_validate_json(token.offline),
        devices=devices,
    )


def _status(token: Token, user: User) -> Status:
    if token.status == "revoked":
        return "revoked"
    return "disabled" if user.status != "active" else token.status  # type: ignore[return-value]  # of that list
