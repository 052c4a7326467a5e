"""The console's own keys: a root that signs key sets, operational keys that sign the rest.

The same rules as for the local issuer (:mod:`gateway.credentials.keyset`): an operational key
lives :data:`~gateway.credentials.keyset.KEY_DAYS` days, its successor is made
:data:`~gateway.credentials.keyset.OVERLAP_DAYS` before its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.envelope import EnvelopeError, Kind, key_id, seal
from gateway.credentials.event import DeviceState, open_state
from gateway.credentials.keyset import (
    DAY_S,
    KEY_DAYS,
    OPERATIONAL,
    OVERLAP_DAYS,
    ROOT_KID,
    SKEW_S,
    KeyEntry,
    new_key,
    open_keyset,
    public_text,
    sign_keyset,
)
from gateway.credentials.secrets import Place, SecretBox, SecretsError

from .database import Database
from .database.model import KeySet, SigningKey

ISSUER = "console"


@dataclass(frozen=True)
class Signer:
    """One operational key, open for the moment in which it signs."""

    kid: str
    key: Ed25519PrivateKey = field(repr=False)

    def sign(self, kind: Kind, payload: Mapping[str, Any]) -> str:
        """Return an envelope."""
        return seal(kind, self.kid, payload, self.key)


class Signing:
    """Private keys in the database, sealed.

    Args:
        db: keeps them.
        box: seals them.
        now_s: seconds since 1970.

    Every method raises :class:`~gateway.credentials.secrets.SecretsError` if a key does not open
    with the box.

    """

    def __init__(self, db: Database, box: SecretBox, now_s: Callable[[], int]) -> None:
        self._db = db
        self._box = box
        self._now_s = now_s

    async def prepare(self, root: Ed25519PrivateKey | None = None) -> None:
        """Make the keys that a new database lacks.

        Args:
            root: one that was made elsewhere, for a new database; by default one is made.

        """
        async with self._db.begin() as session:
            # two consoles that open a new database at once must not make two roots
            await self._db.take_turns(session, "signing_keys")
            await self._root(session, root)
            await self.renew_in(session)

    async def signer(self, session: AsyncSession) -> Signer:
        """Return the newest operational key."""
        wanted = select(SigningKey).where(SigningKey.number > 0, SigningKey.removed_at.is_(None))
        # by number, not by time: a clock that was wrong must not make an older key the newest
        row = (await session.scalars(wanted.order_by(SigningKey.number.desc()).limit(1))).first()
        if row is None:
            raise SecretsError("the database has no signing key; restore it from a backup")
        return Signer(row.kid, self._open(row))

    async def sign(self, kind: Kind, payload: Mapping[str, Any]) -> str:
        """Return an envelope from the newest operational key."""
        async with self._db.session() as session:
            return (await self.signer(session)).sign(kind, payload)

    async def root(self) -> Ed25519PublicKey:
        """Return the key that daemons pin."""
        async with self._db.session() as session:
            return (await self._root(session, None)).public_key()

    async def key_set(self) -> str:
        """Return the newest ``keys`` envelope."""
        async with self._db.session() as session:
            return await self.key_set_in(session)

    async def key_set_in(self, session: AsyncSession) -> str:
        """Return the newest ``keys`` envelope."""
        newest = select(KeySet).order_by(KeySet.ver.desc()).limit(1)
        row = (await session.scalars(newest)).first()
        if row is None:
            raise SecretsError("the database has no key set; restore it from a backup")
        return row.envelope

    async def open_state(self, session: AsyncSession, envelope: str) -> DeviceState | None:
        """Return a state that one of our keys has signed, however long ago; else ``None``."""
        # a generator: the key is unsealed only if the envelope names one of ours
        its = (row for row in await self._operational(session) if row.kid == key_id(envelope))
        try:
            return open_state(envelope, {row.kid: self._open(row).public_key() for row in its})
        except EnvelopeError:
            return None

    async def needs_renewal(self) -> bool:
        """Whether :meth:`renew_in` would make a key now."""
        async with self._db.session() as session:
            return await self._is_due(session)

    async def renew_in(self, session: AsyncSession) -> bool:
        """Make the operational key that is missing or runs out soon.

        Returns:
            Whether there is a new one.

        """
        if not await self._is_due(session):
            return False
        await self._add_key(session)
        return True

    async def rotate_in(self, session: AsyncSession, *, remove_old: bool = False) -> str:
        """Make a new operational key at once; the old ones stay in the set until their end.

        Args:
            session: of the caller's transaction.
            remove_old: take all old keys out of the set: whoever may have stolen one can sign
                nothing more that counts.

        Returns:
            Its key id.

        """
        if remove_old:
            for row in await self._operational(session):
                # the first time counts: what was signed after it is not ours
                row.removed_at = row.removed_at or self._now_s()
        return await self._add_key(session)

    # --- making them -----------------------------------------------------------------------

    async def _is_due(self, session: AsyncSession) -> bool:
        now_s = self._now_s()
        rows = await self._operational(session)
        newest = rows[-1] if rows else None
        return not (
            newest is not None
            and newest.exp is not None
            and newest.removed_at is None
            and newest.nbf - SKEW_S <= now_s  # else the clock was wrong when it was made
            # early enough that each daemon has heard of the successor before it signs alone
            and newest.exp - now_s >= OVERLAP_DAYS * DAY_S
            and await self._signs_all(session, newest.kid)
        )

    async def _signs_all(self, session: AsyncSession, kid: str) -> bool:
        """Whether daemons take all kinds of envelope of a key: older versions knew fewer."""
        root = (await self._root(session, None)).public_key()
        keys = open_keyset(await self.key_set_in(session), root).keys
        return any(key.kid == kid and set(OPERATIONAL) <= set(key.use) for key in keys)

    async def _operational(self, session: AsyncSession) -> list[SigningKey]:
        wanted = select(SigningKey).where(SigningKey.number > 0).order_by(SigningKey.number)
        return list(await session.scalars(wanted))

    async def _root(
        self, session: AsyncSession, given: Ed25519PrivateKey | None
    ) -> Ed25519PrivateKey:
        row = await session.get(SigningKey, ROOT_KID)
        if row is not None:
            return self._open(row)
        if await self._operational(session):  # another root would make an end of every token
            raise SecretsError("the root key is gone from the database; restore it from a backup")
        key = given or new_key()
        self._keep(session, ROOT_KID, 0, key, None)
        await session.flush()
        return key

    async def _add_key(self, session: AsyncSession) -> str:
        await self._db.take_turns(session, "signing_keys")
        root = await self._root(session, None)
        newest = await session.scalar(select(func.max(SigningKey.number)))
        number = (newest or 0) + 1
        # numbers are never used again: a daemon knows a key by its name
        kid = f"op{number}"
        exp = self._now_s() + KEY_DAYS * DAY_S
        self._keep(session, kid, number, new_key(), exp)
        await session.flush()
        await self._publish(session, root)
        return kid

    def _keep(
        self,
        session: AsyncSession,
        kid: str,
        number: int,
        key: Ed25519PrivateKey,
        exp: int | None,
    ) -> None:
        # bound to its place: a sealed key that is copied into another row does not open there
        sealed = self._box.seal(key.private_bytes_raw(), _place(kid))
        session.add(
            SigningKey(kid=kid, number=number, private_key=sealed, nbf=self._now_s(), exp=exp)
        )

    async def _publish(self, session: AsyncSession, root: Ed25519PrivateKey) -> None:
        now_s = self._now_s()
        entries = [
            KeyEntry(
                kid=row.kid,
                pub=public_text(self._open(row).public_key()),
                use=OPERATIONAL,
                nbf=row.nbf,
                exp=row.exp,
            )
            for row in await self._operational(session)
            # the whole set is published anew: a key that is left out counts no more with any
            # daemon
            if row.exp is not None and row.exp > now_s and row.removed_at is None
        ]
        # daemons take a set only if its version is greater: an old one cannot bring a key back
        version = (await session.scalar(select(func.max(KeySet.ver))) or 0) + 1
        envelope = sign_keyset(root, entries, iss=ISSUER, version=version, now_s=now_s)
        session.add(KeySet(ver=version, envelope=envelope))
        await session.flush()

    def _open(self, row: SigningKey) -> Ed25519PrivateKey:
        raw = self._box.open(row.private_key, _place(row.kid))
        return Ed25519PrivateKey.from_private_bytes(raw)


def _place(kid: str) -> Place:
    return Place("signing_keys", kid, "private_key")
