"""What the daemon believes of tokens: records that verify against the pinned root key."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ea_bridge.token import Keys
from gateway.auth.seen import Seen
from gateway.credentials.envelope import EnvelopeError, key_id
from gateway.credentials.issuer import PublishedRecord, published, server_key_place
from gateway.credentials.keyset import KeySet, open_keyset
from gateway.credentials.record import Record, open_record
from gateway.credentials.secrets import SecretBox, SecretsError
from gateway.store import Store, Version

logger = logging.getLogger(__name__)

Refusal = Literal["revoked", "account_disabled", "expired", "lease_expired"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A token that the daemon knows."""

    record: Record
    keys: Keys = field(repr=False)
    generation: int
    """Grows whenever the rights change; not when only the end of an overlap is set."""
    vouched_until: int
    """When the signature on the record stops to count, unless it is signed anew."""
    withdrawn: bool = False
    """The record is older than one seen before, does not verify any more, or is gone."""

    def refusal(self, now_s: int) -> Refusal | None:
        """Why the token opens nothing now."""
        state = self.record.state(now_s)
        if self.withdrawn or state == "revoked":
            return "revoked"
        if state == "disabled":
            return "account_disabled"
        if state == "expired":
            return "expired"
        return "lease_expired" if now_s >= self.vouched_until else None


class RecordBook:
    """The records of a store, verified, by token id.

    A record that does not verify is as good as absent; one that is older than what was seen before
    counts as revoked, and so does one that vanished: silence must not open a door. What anybody
    writes, in this process or another, is seen by the next :meth:`refresh`.

    Args:
        store: with the tables of the issuer and of :mod:`~.seen`.
        box: opens the server keys.
        root: the pinned root key.

    """

    def __init__(self, store: Store, box: SecretBox, root: Ed25519PublicKey) -> None:
        self._store = store
        self._box = box
        self._root = root
        self._seen = Seen(store)
        self._version: Version | None = None
        self._key_set = ""
        self._sources: dict[str, PublishedRecord] = {}
        """From what the entries were made: what is the same need not be verified again."""
        self._entries: dict[str, Entry] = {}

    def get(self, tid: str) -> Entry | None:
        """Return what is known of a token."""
        return self._entries.get(tid)

    def entries(self) -> list[Entry]:
        """Return every token that is known."""
        return list(self._entries.values())

    def refresh(self, now_s: int) -> list[Entry]:
        """Read again if anybody wrote; costs a few microseconds where nobody did.

        Returns:
            The entries that were known, and whose rights are others now.

        Raises:
            StoreError: the store cannot be read; nothing has changed.

        """
        version = self._store.data_version()
        if version == self._version:
            return []
        before, fresh = self._entries, self._read(now_s)
        self._entries = fresh
        self._version = version
        self._seen.save()
        return [
            entry
            for tid, entry in fresh.items()
            if tid in before and entry.generation != before[tid].generation
        ]

    def check(self) -> None:
        """See that the store is in its place, and save what could not be saved before.

        Raises:
            StoreError: the database was exchanged or removed.

        """
        self._store.check_place()
        self._seen.save()

    # --- reading ---------------------------------------------------------------------------

    def _read(self, now_s: int) -> dict[str, Entry]:
        offer = published(self._store)
        try:
            keyset = self._verified_keyset(offer.key_set)
        except EnvelopeError as error:
            logger.error("no token can be verified: %s", error)
            self._sources.clear()
            return {tid: replace(one, vouched_until=0) for tid, one in self._entries.items()}
        if offer.key_set != self._key_set:  # then every signature has to be looked at again
            self._sources.clear()
            self._key_set = offer.key_set
        keys = keyset.keys_for("rec", now_s)
        found = {row.tid: self._entry(row, keyset, keys) for row in offer.records}
        self._sources = {tid: row for tid, row in self._sources.items() if tid in found}
        gone = {tid: _withdrawn(one) for tid, one in self._entries.items() if tid not in found}
        return gone | {tid: entry for tid, entry in found.items() if entry is not None}

    def _verified_keyset(self, envelope: str) -> KeySet:
        keyset = open_keyset(envelope, self._root)
        if keyset.ver < self._seen.of("keys", keyset.iss).version:
            raise EnvelopeError("the key set is older than one seen before")
        self._seen.note("keys", keyset.iss, keyset.ver, revoked=False)
        return keyset

    def _entry(
        self, row: PublishedRecord, keyset: KeySet, keys: Mapping[str, Ed25519PublicKey]
    ) -> Entry | None:
        """Return the entry of a row; the known one if nothing is new, ``None`` for a worthless."""
        known = self._entries.get(row.tid)
        if known is not None and self._sources.get(row.tid) == row:
            return known
        try:
            record, server_key = self._verified(row, keyset, keys)
        except (EnvelopeError, SecretsError) as error:
            logger.error("the record of token %.12s is refused: %s", row.tid, error)
            self._sources.pop(row.tid, None)
            return None if known is None else _withdrawn(known)
        entry = Entry(
            record,
            Keys(bytes.fromhex(record.stored_key), server_key),
            generation=1,
            vouched_until=keyset.vouches_until(key_id(row.envelope)),
            withdrawn=self._is_outdated(record),
        )
        self._sources[row.tid] = row
        if known is None:
            return entry
        grown = known.generation + (_rights(entry) != _rights(known))
        return replace(entry, generation=grown)

    def _verified(
        self, row: PublishedRecord, keyset: KeySet, keys: Mapping[str, Ed25519PublicKey]
    ) -> tuple[Record, bytes]:
        record = open_record(row.envelope, keys)
        if record.tid != row.tid:
            raise EnvelopeError("it speaks of another token")
        if record.iss != keyset.iss:
            raise EnvelopeError("it comes from another issuer")
        server_key = self._box.open(row.server_key, server_key_place(row.tid))
        if hashlib.sha256(server_key).hexdigest() != record.server_key_sha256:
            raise EnvelopeError("the server key is not the record's")
        return record, server_key

    def _is_outdated(self, record: Record) -> bool:
        seen = self._seen.of("rec", record.tid)
        if record.rec_ver < seen.version or (seen.revoked and record.status != "revoked"):
            logger.error("the record of token %s is older than one seen before", record.tid)
            self._seen.insist("rec", record.tid)
            return True
        self._seen.note("rec", record.tid, record.rec_ver, record.status == "revoked")
        return False


def _withdrawn(entry: Entry) -> Entry:
    if entry.withdrawn:
        return entry
    return replace(entry, withdrawn=True, generation=entry.generation + 1)


def _rights(entry: Entry) -> tuple[object, ...]:
    """What open connections depend on; the end of a token is watched by the clock instead."""
    record = entry.record
    is_over = entry.withdrawn or record.status in ("revoked", "disabled")
    return (is_over, record.label, record.platform, record.scopes, record.stored_key)
