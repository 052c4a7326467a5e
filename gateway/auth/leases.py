"""Leases: what a token may do now, and what becomes of that while the console is silent.

A lease lasts a quarter of an hour. After it the record says for how long positions can still be
closed and the account be read; an explicit revocation leaves nothing in every tier.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateway.auth.caller import TokenEntry
from gateway.auth.console_clock import ConsoleClock
from gateway.auth.records import RecordBook
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.event import ConsoleEvent, EventType
from gateway.credentials.keyset import SKEW_S
from gateway.credentials.lease import Lease, Tier, open_lease
from gateway.credentials.record import Device, Record
from gateway.storage.store import Store, StoreError, Version

logger = logging.getLogger(__name__)

MAX_OFFLINE_S = 86_400
"""The longest that a record can let anything go on without the console."""
STOPS: dict[EventType, str] = {
    "token.revoked": "revoked",
    "device.revoked": "device_revoked",
    "user.disabled": "account_disabled",
}
"""What is told to callers after an event that ends something."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Allowance of a token at a moment."""

    tier: Tier
    reason: str = ""
    """Why it is not all: ``lease_expired``, ``clock_suspect``, ``missed_event``,
    ``console_unasked``, or for nothing at all one of those of
    :meth:`gateway.auth.gate.Gate.admit`."""
    since_s: int | None = None
    """When that began, in the console's time, if that is known."""


EVERYTHING = Allowance(Tier.FULL)


@dataclass(frozen=True, slots=True)
class Stop:
    """End of a token by an event, until a newer state says what holds."""

    seq: int
    reason: str
    tid: str
    """Empty for every token."""
    uid_hash: str
    """Whose tokens; empty for everybody's."""

    def ends(self, record: Record) -> bool:
        """Whether this stop applies to a token."""
        if self.tid:
            return self.tid == record.tid
        return self.uid_hash in ("", record.uid_hash)


class Leases:
    """The leases of a home's tokens, verified; all times are the console's.

    Args:
        store: with the tables of :mod:`.console_snapshot`.
        did: of this device.
        book: the records, and the keys that count.
        clock: tells the console's time.
        strict: nothing goes on after the end of a lease.

    """

    def __init__(
        self, store: Store, did: str, book: RecordBook, clock: ConsoleClock, *, strict: bool
    ) -> None:
        self._store = store
        self._did = did
        self._book = book
        self._clock = clock
        self._strict = strict
        self._version: Version | None = None
        self._leases: dict[str, Lease] = {}
        self._stops: list[Stop] = []
        self._unsaved: list[tuple[Stop, int | None]] = []
        self.has_missed = False
        """An event is missing: trades wait for the state that contains it."""
        self.is_unasked = False
        """The console is being asked for the first time since the start. What lies here may have
        been restored from a backup: only reads are served until it has answered, or cannot.
        """

    # --- what is asked at every call ---------------------------------------------------------

    def allowance(self, entry: TokenEntry) -> Allowance:
        """Return what a token may do now whose record allows it; takes a microsecond."""
        record = entry.record
        for stop in self._stops:
            if stop.ends(record):
                return Allowance(Tier.NONE, stop.reason)
        device = self.device(record)
        if device is None or device.status == "pending":
            return Allowance(Tier.NONE, "device_pending")
        if device.status == "revoked":
            return Allowance(Tier.NONE, "device_revoked")
        lease = self._leases.get(record.tid)
        if lease is None or not _stands_on(lease, record, device):
            return Allowance(Tier.NONE, "lease_expired")
        return self._guarded(self._by_age(lease, record))

    def device(self, record: Record) -> Device | None:
        """Return what a record says of this device."""
        return next((one for one in record.devices if one.did == self._did), None)

    def ends_s(self, tid: str) -> int | None:
        """Return when the lease of a token ends; ``None`` if there is none."""
        lease = self._leases.get(tid)
        return None if lease is None else lease.exp

    def tier_ends_s(self, entry: TokenEntry, tier: Tier) -> int | None:
        """Return when a tier ends if the console stays silent; ``None`` for one without an end."""
        lease = self._leases.get(entry.record.tid)
        if lease is None or tier is Tier.NONE:
            return None
        if tier is Tier.FULL or self._strict:
            return lease.exp
        offline = entry.record.offline
        lasts_s = offline.reduce_s
        if tier is Tier.READ:
            lasts_s = max(lasts_s, offline.readonly_s)
        return lease.exp + min(lasts_s, MAX_OFFLINE_S)

    def _by_age(self, lease: Lease, record: Record) -> Allowance:
        late = int(self._clock.now_s()) - lease.exp
        if late < 0:
            return EVERYTHING
        offline = record.offline
        if not self._strict and late < min(offline.reduce_s, MAX_OFFLINE_S):
            return Allowance(Tier.REDUCE, "lease_expired", lease.exp)
        if not self._strict and late < min(offline.readonly_s, MAX_OFFLINE_S):
            return Allowance(Tier.READ, "lease_expired", lease.exp)
        return Allowance(Tier.NONE, "lease_expired", lease.exp)

    def _guarded(self, allowance: Allowance) -> Allowance:
        if self.is_unasked and allowance.tier > Tier.READ:
            return Allowance(Tier.READ, "console_unasked")
        if self.has_missed and allowance.tier > Tier.READ:
            return Allowance(Tier.READ, "missed_event")
        if self._clock.is_suspect and allowance.tier > Tier.REDUCE:
            return Allowance(Tier.REDUCE, "clock_suspect")
        return allowance

    # --- changes -----------------------------------------------------------------------------

    def stop(self, event: ConsoleEvent, *, applied: bool) -> bool:
        """End what an event ends, at once and over a crash.

        Args:
            event: verified, and one of :data:`STOPS`.
            applied: it is the one after the last that was applied.

        Returns:
            Whether it is on the disk; memory has it in any case.

        """
        stop = Stop(event.seq, STOPS[event.type], event.tid or "", event.uid_hash)
        self._stops.append(stop)
        self._unsaved.append((stop, event.seq if applied else None))
        saved = self.save_stops()
        if event.type == "token.revoked" and event.tid is not None:
            self._book.seen.note("epoch", event.tid, event.epoch, revoked=False)
            saved = self._book.end(event.tid, event.rec_ver) and saved
        return saved

    def save_stops(self) -> bool:
        """Write what is not written yet."""
        if not self._unsaved:
            return True
        try:
            with self._store.transaction() as db:
                for stop, applied in self._unsaved:
                    db.execute(
                        "INSERT OR REPLACE INTO console_stops VALUES (?, ?, ?, ?)",
                        (stop.seq, stop.reason, stop.tid, stop.uid_hash),
                    )
                    if applied is not None:
                        db.execute("UPDATE console SET seq = max(seq, ?)", (applied,))
        except StoreError as error:
            logger.critical("a revocation is in force but not saved yet: %s", error)
            return False
        self._unsaved.clear()
        return True

    def lift(self, seq: int) -> None:
        """A state that contains all events up to ``seq`` was applied: it says what holds."""
        self._stops = [stop for stop in self._stops if stop.seq > seq]
        self._unsaved = [one for one in self._unsaved if one[0].seq > seq]

    def refresh(self) -> None:
        """Take over what was written since.

        Raises:
            StoreError: the store cannot be read.

        """
        if self._book.version == self._version:
            return
        version = self._book.version
        rows = self._store.all("SELECT * FROM console_stops ORDER BY seq")
        stops = [Stop(row["seq"], row["reason"], row["tid"], row["uid_hash"]) for row in rows]
        leases = self._store.all("SELECT tid, lease FROM console_tokens WHERE lease IS NOT NULL")
        self._stops = stops + [stop for stop, _ in self._unsaved if stop not in stops]
        found = {row["tid"]: self._open(row["tid"], row["lease"]) for row in leases}
        self._leases = {tid: lease for tid, lease in found.items() if lease is not None}
        self._version = version

    def _open(self, tid: str, envelope: str) -> Lease | None:
        try:
            return self.verified(tid, envelope)
        except EnvelopeError as error:
            # that of a token of whose end we were told stays here until the next sync
            is_over = self._book.seen.of("rec", tid).revoked
            level = logging.DEBUG if is_over else logging.ERROR
            logger.log(level, "the lease of token %s is refused: %s", tid, error)
            return None

    def verified(self, tid: str, envelope: str, now_s: int | None = None) -> Lease:
        """Verify a lease, apart from its end.

        Args:
            tid: of the token for which it was given.
            envelope: as it came.
            now_s: the console's time, if it is better known than here.

        Raises:
            EnvelopeError: it is none for this token on this device now.

        """
        now_s = int(self._clock.now_s()) if now_s is None else now_s
        lease = open_lease(envelope, self._book.keys("lease", now_s))
        if lease.tid != tid:
            raise EnvelopeError("it is for another token")
        if lease.did != self._did:
            raise EnvelopeError("it is for another machine")
        if lease.iss != self._book.issuer:
            raise EnvelopeError("it comes from another issuer")
        if lease.epoch < self._book.seen.of("epoch", tid).version:
            raise EnvelopeError("it is older than a revocation")
        if max(lease.iat, lease.nbf) - SKEW_S > now_s:
            raise EnvelopeError("it begins in the future: is the clock right?")
        return lease


def _stands_on(lease: Lease, record: Record, device: Device) -> bool:
    """Whether a lease was given for what record and device are now, not for an older approval."""
    return lease.rec_ver <= record.rec_ver and lease.dev_ver >= device.dev_ver
