"""Snapshot of what the console says, taken over: verified whole, or not at all.

:class:`ConsoleBook` keeps the records that the console has offered in the home: it is the source
of the book of records. Nothing in these tables is believed because it is there: whatever is read
is verified again, from the pinned root key on. Only stops are taken at their word.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from sqlite3 import Connection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.auth.console_clock import ConsoleClock
from gateway.auth.leases import Leases
from gateway.auth.records import RecordBook
from gateway.credentials.alert import AlertOrder, open_alert
from gateway.credentials.console_call import SignedCall, open_call
from gateway.credentials.daemon_api import Synced, TokenOffer
from gateway.credentials.envelope import EnvelopeError, decode64
from gateway.credentials.event import ConsoleEvent, DeviceState, open_event, open_state
from gateway.credentials.issuer import Published, PublishedRecord
from gateway.credentials.keyset import KeySet, open_keyset, parse_root
from gateway.credentials.lease import open_lease
from gateway.credentials.record import Record, open_record
from gateway.credentials.secrets import Place, SealedColumn, SecretBox, SecretsError
from gateway.storage.store import Store

TABLES = """
-- the console that this home believes, one row
CREATE TABLE console (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    root TEXT NOT NULL,              -- pinned at the first contact
    key_set TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT '',
    seq INTEGER NOT NULL DEFAULT 0   -- the last event that was applied
) STRICT;

-- each token as it was offered; the server key is sealed, and missing before the approval
CREATE TABLE console_tokens (
    tid TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    server_key TEXT,
    lease TEXT
) STRICT;

-- what must not go on until a state that is newer than the event has been applied
CREATE TABLE console_stops (
    seq INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    tid TEXT NOT NULL,               -- '' for every token
    uid_hash TEXT NOT NULL           -- '' for every user
) STRICT;

-- two more kinds of what was seen: the newest state, and the epoch of each token's leases
CREATE TABLE seen_more (
    kind TEXT NOT NULL CHECK (kind IN ('keys', 'rec', 'state', 'epoch')),
    id TEXT NOT NULL,
    ver INTEGER NOT NULL,
    revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO seen_more SELECT * FROM seen;
DROP TABLE seen;
ALTER TABLE seen_more RENAME TO seen;
"""
SERVER_KEYS = SealedColumn("console_tokens", "tid", "server_key")


class ConsoleSource:
    """Source of a book of records: what the console has offered.

    Args:
        store: with the tables above.
        pinned: the root key of the configuration, ``mgr1_...``; empty for that of the first
            contact.

    """

    def __init__(self, store: Store, pinned: str = "") -> None:
        self._store = store
        self._pinned = pinned

    @property
    def is_pinned(self) -> bool:
        """Whether the root key is that of the configuration, not just the first one seen."""
        return bool(self._pinned)

    @property
    def root_text(self) -> str:
        """The root key that counts, ``mgr1_...``; empty before the first contact."""
        if self._pinned:
            return self._pinned
        row = self._store.one("SELECT root FROM console")
        return "" if row is None else row["root"]

    def root(self) -> Ed25519PublicKey | None:
        """Return the root key that counts; ``None`` before the first contact."""
        text = self.root_text
        return parse_root(text) if text else None

    def published(self) -> Published:
        """Return what the console has offered last; nothing in it is verified."""
        row = self._store.one("SELECT key_set FROM console")
        rows = self._store.all("SELECT tid, record, server_key FROM console_tokens")
        return Published(
            "" if row is None else row["key_set"],
            [PublishedRecord(r["tid"], r["record"], r["server_key"]) for r in rows],
        )

    def server_key_place(self, tid: str) -> Place:
        """Return where a token's server key lies sealed."""
        return SERVER_KEYS.place(tid)


class UnknownRoot(EnvelopeError):
    """The console is another one than the one that this home believes."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Row:
    tid: str
    record: str
    server_key: str | None
    lease: str | None
    epoch: int
    signed_s: int
    """When the lease was signed; 0 without one."""


class ConsoleSnapshot:
    """Snapshot of what the console says, as it is taken over.

    Args:
        store: with the tables of :mod:`.console_snapshot`.
        box: seals server keys.
        source: knows the pinned root key.
        book: the records.
        leases: the leases.
        clock: hears every time that the console has signed.
        did: of this device.

    """

    def __init__(
        self,
        store: Store,
        box: SecretBox,
        source: ConsoleSource,
        book: RecordBook,
        leases: Leases,
        clock: ConsoleClock,
        did: str,
    ) -> None:
        self._store = store
        self._box = box
        self._source = source
        self._book = book
        self._leases = leases
        self._clock = clock
        self._did = did

    @property
    def root(self) -> str:
        """The root key that is believed, ``mgr1_...``; empty before the first contact."""
        return self._source.root_text

    @property
    def seq(self) -> int:
        """The last event that was applied."""
        row = self._store.one("SELECT seq FROM console")
        return 0 if row is None else int(row["seq"])

    @property
    def state(self) -> str:
        """The newest state that is stored, of the console that is believed; else empty."""
        row = self._store.one("SELECT root, state FROM console")
        return str(row["state"]) if row is not None and row["root"] == self.root else ""

    def event(self, envelope: str, claimed_s: int = 0) -> ConsoleEvent:
        """Verify an event for this device.

        Raises:
            EnvelopeError: it is none.

        """
        event = open_event(envelope, self._book.keys("evt", self._now_s(claimed_s)))
        if event.did != self._did:
            raise EnvelopeError("an event for another machine")
        if event.iss != self._book.issuer:
            raise EnvelopeError("an event of another issuer")
        return event

    def alert(self, envelope: str) -> AlertOrder:
        """Verify the order of an alert for this device; its deadline is for who executes it.

        Raises:
            EnvelopeError: it is none.

        """
        alert = open_alert(envelope, self._book.keys("alert", self._now_s(0)))
        if alert.did != self._did:
            raise EnvelopeError("an alert for another machine")
        if alert.iss != self._book.issuer:
            raise EnvelopeError("an alert of another issuer")
        return alert

    def call(self, envelope: str) -> SignedCall:
        """Verify a call for this device; line, deadline and once are for who carries it out.

        Raises:
            EnvelopeError: it is none.

        """
        call = open_call(envelope, self._book.keys("call", self._now_s(0)))
        if call.did != self._did:
            raise EnvelopeError("a call for another device")
        if call.iss != self._book.issuer:
            raise EnvelopeError("a call of another issuer")
        return call

    def accept(self, synced: Synced, asked_at_boot_s: float, nonce: str) -> None:
        """Take over all that holds now.

        Args:
            synced: as it came.
            asked_at_boot_s: seconds since boot when it was asked for.
            nonce: that it was asked with.

        Raises:
            UnknownRoot: it comes from another console than the one that is believed.
            EnvelopeError: it does not verify, is older than what was seen before, or the answer
                to another question: else whoever recorded one and can set our clock back could
                have a lease go on for ever.
            StoreError: it cannot be written; nothing has changed.

        """
        now_s = self._now_s(synced.server_time)
        root = self._root(synced.root)
        keyset = self._keyset(synced.keys, root, now_s)
        state = self._state(synced.state, keyset, now_s)
        if state.nonce != nonce:
            raise EnvelopeError("the console's state is the answer to another question")
        rows = [
            row
            for offer in synced.tokens
            if offer.tid in state.tids and (row := self._row(offer, keyset, now_s)) is not None
        ]
        with self._store.transaction() as db:
            self._write(db, synced, state, rows)
        self._book.seen.note("keys", keyset.iss, keyset.ver, revoked=False)
        self._book.seen.note("state", self._did, state.seq, revoked=False)
        for row in rows:
            self._book.seen.note("epoch", row.tid, row.epoch, revoked=False)
        self._book.seen.save()
        self._leases.lift(state.seq)
        self._leases.has_missed = False
        signed = max(state.iat, *(row.signed_s for row in rows), 0)
        self._clock.heard(signed, asked_at_boot_s)
        self._clock.save()

    # --- verifying ---------------------------------------------------------------------------

    def _now_s(self, claimed_s: int) -> int:
        """Return the console's time; what it claims counts where that is later than is certain.

        Our guess does not: our wall clock may be years ahead.
        """
        return max(int(self._clock.least_s()), claimed_s) or int(self._clock.now_s())

    def _root(self, offered: str) -> Ed25519PublicKey:
        pinned = self._source.root_text
        if pinned and offered != pinned:
            raise UnknownRoot(
                f"the console's root key is {offered}, but this gateway believes {pinned}. If the "
                "console was made anew, compare the key with the one that it shows and set it as "
                "root in the section [console] of the configuration; if not, somebody answers in "
                "its place"
            )
        return parse_root(offered)

    def _keyset(self, envelope: str, root: Ed25519PublicKey, now_s: int) -> KeySet:
        keyset = open_keyset(envelope, root)
        if self._is_adopted() and keyset.ver < self._book.seen.of("keys", keyset.iss).version:
            raise EnvelopeError(
                "the console's key set is older than one seen before: was the console restored "
                "from a backup? Have it make new keys"
            )
        if not keyset.is_dated(now_s):
            raise EnvelopeError(
                "the console's key set is not valid now: see that its clock is right"
            )
        return keyset

    def _state(self, envelope: str, keyset: KeySet, now_s: int) -> DeviceState:
        state = open_state(envelope, keyset.keys_for("state", now_s))
        if state.did != self._did:
            raise EnvelopeError("a state for another machine")
        if state.iss != keyset.iss:
            raise EnvelopeError("a state of another issuer")
        if self._is_adopted() and state.seq < self._book.seen.of("state", self._did).version:
            raise EnvelopeError(
                "the console's state is older than one seen before: was it restored from a "
                "backup? Then revoke and approve this machine there anew"
            )
        return state

    def _row(self, offer: TokenOffer, keyset: KeySet, now_s: int) -> _Row | None:
        """Return what is to be kept of an offer; ``None`` to keep what there is."""
        try:
            record = open_record(offer.record, keyset.keys_for("rec", now_s))
            if record.tid != offer.tid or record.iss != keyset.iss:
                raise EnvelopeError("it speaks of another token, or for another issuer")
            seen = self._book.seen.of("rec", offer.tid)
            if record.rec_ver < seen.version or (seen.revoked and record.status != "revoked"):
                raise EnvelopeError("it is older than one seen before")
            server_key = self._server_key(offer, record)
        except (EnvelopeError, SecretsError) as error:
            logger.error("the offered record of token %s is refused: %s", offer.tid, error)
            return None
        return self._with_lease(offer, server_key, keyset, now_s)

    def _with_lease(
        self, offer: TokenOffer, server_key: str | None, keyset: KeySet, now_s: int
    ) -> _Row:
        lease, epoch, signed = offer.lease, 0, 0
        if lease is not None:
            try:
                opened = open_lease(lease, keyset.keys_for("lease", now_s))
                if (opened.tid, opened.did, opened.iss) != (offer.tid, self._did, keyset.iss):
                    raise EnvelopeError("it is for another token or machine")
                if opened.epoch < self._book.seen.of("epoch", offer.tid).version:
                    raise EnvelopeError("it is older than a revocation")
                epoch, signed = opened.epoch, opened.iat
            except EnvelopeError as error:
                logger.error("the offered lease of token %s is refused: %s", offer.tid, error)
                lease = None
        return _Row(offer.tid, offer.record, server_key, lease, epoch, signed)

    def _server_key(self, offer: TokenOffer, record: Record) -> str | None:
        """Return the token's server key, sealed; the one that is kept if none is given."""
        if offer.server_key is None:
            return self._kept(record)
        try:
            server_key = decode64(offer.server_key)
        except ValueError:
            raise EnvelopeError("its server key is malformed") from None
        if hashlib.sha256(server_key).hexdigest() != record.server_key_sha256:
            raise EnvelopeError("the server key is not the record's")
        return self._kept(record) or self._box.seal(server_key, SERVER_KEYS.place(record.tid))

    def _kept(self, record: Record) -> str | None:
        row = self._store.one("SELECT server_key FROM console_tokens WHERE tid = ?", record.tid)
        if row is None or row["server_key"] is None:
            return None
        sealed: str = row["server_key"]
        server_key = self._box.open(sealed, SERVER_KEYS.place(record.tid))
        is_its = hashlib.sha256(server_key).hexdigest() == record.server_key_sha256
        return sealed if is_its else None

    # --- writing -----------------------------------------------------------------------------

    def _is_adopted(self) -> bool:
        """Whether what is kept comes from the console that is believed now."""
        row = self._store.one("SELECT root FROM console")
        return row is not None and row["root"] == self._source.root_text

    def _write(self, db: Connection, synced: Synced, state: DeviceState, rows: list[_Row]) -> None:
        if not self._is_adopted():
            self._adopt(db, synced.root)
        db.execute(
            "UPDATE console SET key_set = ?, state = ?, seq = ?",
            (synced.keys, synced.state, state.seq),
        )
        known = [row["tid"] for row in db.execute("SELECT tid FROM console_tokens")]
        gone = [(tid,) for tid in known if tid not in state.tids]
        db.executemany("DELETE FROM console_tokens WHERE tid = ?", gone)
        db.executemany(
            "INSERT OR REPLACE INTO console_tokens VALUES (?, ?, ?, ?)",
            [(row.tid, row.record, row.server_key, row.lease) for row in rows],
        )
        db.execute("DELETE FROM console_stops WHERE seq <= ?", (state.seq,))

    def _adopt(self, db: Connection, root: str) -> None:
        """Pin a console; what another one said before does not count any more."""
        if not self._source.is_pinned:  # nobody has compared it yet
            logger.warning("this gateway believes the console with the root key %s", root)
        for table in ("console", "console_tokens", "console_stops"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608  # names from the line above
        self._book.seen.forget(db, "keys", "state", "epoch")
        db.execute("INSERT INTO console (only, root) VALUES (1, ?)", (root,))


@dataclass(frozen=True)
class ConsoleBook:
    """Records, leases and clock of the console that a daemon believes."""

    book: RecordBook
    leases: Leases
    clock: ConsoleClock
    offers: ConsoleSnapshot

    def now_s(self) -> int:
        """The console's time, by which everything is judged."""
        return int(self.clock.now_s())
