"""Leases: given to a device for a token that may be used there now, for a quarter of an hour."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.lease import LEASE_S, RENEW_S, Lease
from gateway.credentials.record import AUDIENCE

from .ids import new_id
from .records import Records, Standing
from .signing import ISSUER, Signer, Signing


class Leases:
    """Makes leases.

    Args:
        records: knows who may have one.
        signing: signs them.
        now_s: seconds since 1970.

    """

    def __init__(self, records: Records, signing: Signing, now_s: Callable[[], int]) -> None:
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
        """Return a lease for what :class:`Records` has found, locked, in the same transaction."""
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
