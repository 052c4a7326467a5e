"""All that a device may have now: records, server keys, leases, the list of its tokens."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.daemon_api import TokenOffer
from gateway.credentials.envelope import encode64
from gateway.credentials.secrets import SecretBox

from .database import Database
from .leases import Leases
from .records import Records, Standing
from .signing import Signer, Signing
from .tokens import server_key_place


@dataclass(frozen=True)
class Offer:
    """The answer to a daemon's ``sync``, without its events."""

    keys: str
    state: str
    tokens: tuple[TokenOffer, ...]


class Offers:
    """Makes offers.

    Args:
        db: with the tables.
        box: opens server keys.
        records: of the tokens.
        leases: for those that may be used.
        signing: has the key set.

    """

    def __init__(
        self, db: Database, box: SecretBox, records: Records, leases: Leases, signing: Signing
    ) -> None:
        self._db = db
        self._box = box
        self._records = records
        self._leases = leases
        self._signing = signing

    async def make(self, did: str, nonce: str = "") -> Offer:
        """Return what holds for a device now, in answer to a question with that nonce.

        It is one transaction of its own, which locks the device's tokens first: a revocation
        comes before it, and there is no lease, or after it, and its event says when that ends.
        """
        async with self._db.begin() as session:
            known = await self._records.known_to(session, did, lock=True)
            signer = await self._signing.signer(session)
            tokens = [await self._offer(session, one, signer) for one in known]
            state = await self._records.state(session, did, known, signer, nonce)
            return Offer(await self._signing.key_set_in(session), state, tuple(tokens))

    async def _offer(self, session: AsyncSession, one: Standing, signer: Signer) -> TokenOffer:
        tid = one.token.tid
        lease = self._leases.make_for(one, signer)
        record = await self._records.record_for(session, one.token, one.user)
        key = self._box.open(one.token.server_key, server_key_place(tid)) if lease else None
        return TokenOffer(
            tid=tid,
            record=signer.sign("rec", record.payload()),
            server_key=None if key is None else encode64(key),
            lease=lease,
        )
