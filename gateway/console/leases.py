"""Leases, and everything else that a device may have now.

A lease lets a device use a token for a quarter of an hour. :class:`DeviceOffers` answers a
daemon's ``sync``: records, server keys, leases and the list of the device's tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.daemon_api import TokenOffer
from gateway.credentials.envelope import encode64
from gateway.credentials.lease import LEASE_S, RENEW_S, Lease
from gateway.credentials.record import AUDIENCE
from gateway.credentials.secrets import SecretBox

from .database import Database
from .ids import new_id
from .records import Standing, TokenRecords
from .signing import ISSUER, Signer, Signing
from .tokens import server_key_place


class LeaseIssuer:
    """Makes leases.

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
        standing = await self._records.standing(session, tid, did, lock=True)
        if standing is None:
            return None
        return self.make_for(standing, await self._signing.signer(session))

    def make_for(self, standing: Standing, signer: Signer) -> str | None:
        """Return a lease for what :class:`TokenRecords` has locked in the same transaction."""
        now_s, token, link = self._now_s(), standing.token, standing.link
        if not standing.is_usable(now_s):
            return None
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
        link.lease_exp = exp
        link.last_seen_at = max(link.last_seen_at, now_s)
        return signer.sign("lease", lease.model_dump(mode="json"))


@dataclass(frozen=True)
class DeviceOffer:
    """The answer to a daemon's ``sync``, without its events."""

    keys: str
    state: str
    tokens: tuple[TokenOffer, ...]


class DeviceOffers:
    """Makes offers.

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
        key = self._box.open(standing.token.server_key, server_key_place(tid)) if lease else None
        return TokenOffer(
            tid=tid,
            record=signer.sign("rec", record.payload()),
            server_key=None if key is None else encode64(key),
            lease=lease,
        )
