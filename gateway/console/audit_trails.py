"""Length of the audit trail of each device, as the device has signed it.

Whoever owns a machine can write its history anew. The newest that its daemon has signed and told
here is kept, and a newer one takes its place only with a signature over the row that is kept, as
it stands in the trail by then. One that does not go together with it is kept beside it, and
nothing takes their place any more: two signatures of one key that contradict each other.

Who has the key itself can sign that row, and tell of another history behind it. So what was the
newest on earlier days is kept as well: a history that was written anew from before that does not
go together with it, whoever tells of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from gateway.credentials.daemon_api import MAX_EARLIER, TrailTold, Witness
from gateway.credentials.device import SignedHead, open_head
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.keyset import DAY_S, public_key

from .database import Database
from .database.model import Device, DeviceTrail


class BadTrail(ValueError):
    """Refusal of a head that the device has not signed."""


class AuditTrails:
    """Heads of audit trails, as devices tell them.

    Args:
        db: with the tables.
        now_s: seconds since 1970.

    """

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s

    async def of(self, did: str) -> TrailTold:
        """Return the newest that a device has told, and those of earlier days."""
        async with self._db.session() as session:
            row = await session.get(DeviceTrail, did)
        earlier = () if row is None else tuple(json.loads(row.earlier))
        return _told(row).model_copy(update={"earlier": earlier})

    async def witness(self, did: str, told: Witness) -> TrailTold:
        """Take what a device tells of its trail; return what is kept.

        Raises:
            BadTrail: it is not signed by that device.

        """
        async with self._db.begin() as session:
            # locked: two answers of one device are judged one after the other
            device = await session.get_one(Device, did, with_for_update=True)
            head = _opened(told.newest, device)
            before = _opened(told.before, device) if told.before else None
            row = await session.get(DeviceTrail, did)
            if row is None:
                row = DeviceTrail(did=did, earlier="[]")
                self._take(row, told, head)
                session.add(row)
            # after a contradiction nothing is taken any more: the proof must not be written over
            elif row.contradicted_at is None:
                wrong = _contradiction(row, told, head, before)
                if wrong:
                    row.contradiction, row.contradicted_at = wrong, self._now_s()
                # longer alone is not enough: the signature over our row shows that it goes on from
                # there
                elif head.n > row.n and (told.is_archived or (before and before.n == row.n)):
                    self._take(row, told, head)
            return _told(row)

    def _take(self, row: DeviceTrail, told: Witness, head: SignedHead) -> None:
        now_s = self._now_s()
        # one a day is kept: enough to date a forgery, and the list stays small for years
        if row.newest and now_s // DAY_S != row.newest_at // DAY_S:
            kept = [*json.loads(row.earlier), row.newest]
            # of the first day the oldest stays: before it nobody knows anything
            row.earlier = json.dumps([*kept[:1], *kept[1:][-(MAX_EARLIER - 1) :]])
        row.n, row.hash, row.newest, row.newest_at = head.n, head.hash.hex(), told.newest, now_s


def _contradiction(
    row: DeviceTrail, told: Witness, head: SignedHead, before: SignedHead | None
) -> str:
    """Return what does not go together with what is kept; empty if all does."""
    if head.n < row.n:
        return told.newest  # a trail grows
    if head.n == row.n and head.hash.hex() != row.hash:
        return told.newest
    if before is not None and before.n == row.n and before.hash.hex() != row.hash:
        return told.before
    return ""


def _opened(envelope: str, device: Device) -> SignedHead:
    try:
        head = open_head(envelope, public_key(device.pub))
    except EnvelopeError as error:
        raise BadTrail(str(error)) from error
    # of its key, and yet about another device: such a head says nothing of this trail
    if head.did != device.did:
        raise BadTrail("it speaks of another machine")
    return head


def _told(row: DeviceTrail | None) -> TrailTold:
    if row is None:
        return TrailTold()
    return TrailTold(newest=row.newest, contradicted_at=row.contradicted_at)
