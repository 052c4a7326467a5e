"""Records of tokens that the daemon believes: they verify against the pinned root key."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ea_bridge.token import TokenKeys
from gateway.auth.caller import TokenEntry, assign_terminal_names
from gateway.auth.version_watermarks import Tombstones, VersionWatermarks
from gateway.credentials.envelope import EnvelopeError, Kind, key_id
from gateway.credentials.issuer import Published, PublishedRecord, published, server_key_place
from gateway.credentials.keyset import KeySet, open_keyset
from gateway.credentials.record import Record, open_record
from gateway.credentials.secrets import Place, SecretBox, SecretsError
from gateway.storage.store import Store, Version

logger = logging.getLogger(__name__)


class RecordSource(Protocol):
    """Source that a book reads; nothing in it is verified."""

    def root(self) -> Ed25519PublicKey | None:
        """Return the pinned root key; ``None`` as long as there is none."""

    def published(self) -> Published:
        """Return what there is now."""

    def server_key_place(self, tid: str) -> Place:
        """Return where a token's server key lies sealed."""


class LocalSource:
    """The issuer of the same home."""

    def __init__(self, store: Store, root: Ed25519PublicKey) -> None:
        self._store = store
        self._root = root

    def root(self) -> Ed25519PublicKey | None:
        """Return the issuer's root key."""
        return self._root

    def published(self) -> Published:
        """Return what the issuer gives out now."""
        return published(self._store)

    def server_key_place(self, tid: str) -> Place:
        """Return where a token's server key lies sealed."""
        return server_key_place(tid)


class RecordBook:
    """The records of a store, verified, by token id.

    A record that does not verify is as good as absent; one that is older than what was seen before
    counts as revoked, and so does one that vanished: silence must not open a door. What anybody
    writes, in this process or another, is seen by the next :meth:`refresh`.

    Args:
        store: with the tables of the issuer and of :mod:`~.version_watermarks`.
        box: opens the server keys.
        source: where the records are read, with the pinned root key.
        twin: the ledger's copy of what was seen.

    """

    def __init__(
        self, store: Store, box: SecretBox, source: RecordSource, twin: Tombstones | None = None
    ) -> None:
        self._store = store
        self._box = box
        self._source = source
        self.seen = VersionWatermarks(store, twin)
        """The newest versions seen; shared by all who believe the same console."""
        self._version: Version | None = None
        self._key_set = ""
        self._verified_set: KeySet | None = None
        self._sources: dict[str, PublishedRecord] = {}
        """From what the entries were made: what is the same need not be verified again."""
        self._told: set[str] = set()
        """Tokens of whose end we were told; the record that says so is still to come."""
        self._entries: dict[str, TokenEntry] = {}

    def get(self, tid: str) -> TokenEntry | None:
        """Return what is known of a token."""
        return self._entries.get(tid)

    def entries(self) -> list[TokenEntry]:
        """Return every token that is known."""
        return list(self._entries.values())

    def keys(self, kind: Kind, now_s: int) -> Mapping[str, Ed25519PublicKey]:
        """Return the keys whose signature on ``kind`` counts at a time; none before a refresh."""
        return {} if self._verified_set is None else self._verified_set.keys_for(kind, now_s)

    @property
    def version(self) -> Version | None:
        """Of the store, at the last refresh."""
        return self._version

    @property
    def issuer(self) -> str:
        """Issuer that signs, by the key set; empty before a refresh."""
        return "" if self._verified_set is None else self._verified_set.iss

    def end(self, tid: str, version: int) -> bool:
        """Remember for good that a token was revoked, and hold it closed.

        Args:
            tid: its id.
            version: of the record that says so; it need not be here yet.

        Returns:
            Whether that is on the disk; memory has it in any case.

        """
        self.seen.note("rec", tid, version, revoked=True)
        self._told.add(tid)
        self._sources.pop(tid, None)
        known = self._entries.get(tid)
        if known is not None:
            self._entries[tid] = _withdrawn(known)
        return self.seen.save()

    def refresh(self, now_s: int) -> list[TokenEntry]:
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
        self.seen.save()
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
        self.seen.save()

    # --- reading ---------------------------------------------------------------------------

    def _read(self, now_s: int) -> dict[str, TokenEntry]:
        root, offer = self._source.root(), self._source.published()
        if root is None or not (offer.key_set or offer.records):
            return {tid: _withdrawn(one) for tid, one in self._entries.items()}
        try:
            keyset = self._verified_keyset(offer.key_set, root)
        except EnvelopeError as error:
            logger.error("no token can be verified: %s", error)
            self._sources.clear()
            return {tid: replace(one, vouched_until=0) for tid, one in self._entries.items()}
        if offer.key_set != self._key_set:  # then every signature has to be looked at again
            self._sources.clear()
            self._key_set = offer.key_set
        self._verified_set = keyset
        keys = keyset.keys_for("rec", now_s)
        found = {row.tid: self._entry(row, keyset, keys) for row in offer.records}
        self._sources = {tid: row for tid, row in self._sources.items() if tid in found}
        gone = {tid: _withdrawn(one) for tid, one in self._entries.items() if tid not in found}
        return assign_terminal_names(
            (*gone.values(), *(one for one in found.values() if one is not None))
        )

    def _verified_keyset(self, envelope: str, root: Ed25519PublicKey) -> KeySet:
        keyset = open_keyset(envelope, root)
        if keyset.ver < self.seen.of("keys", keyset.iss).version:
            raise EnvelopeError("the key set is older than one seen before")
        self.seen.note("keys", keyset.iss, keyset.ver, revoked=False)
        return keyset

    def _entry(
        self, row: PublishedRecord, keyset: KeySet, keys: Mapping[str, Ed25519PublicKey]
    ) -> TokenEntry | None:
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
        entry = TokenEntry(
            record,
            TokenKeys(bytes.fromhex(record.stored_key), server_key),
            generation=1,
            vouched_until=keyset.vouches_until(key_id(row.envelope)),
            withdrawn=self._is_outdated(record),
        )
        self._sources[row.tid] = row
        if known is None:
            return entry
        grown = known.generation + (_rights(entry) != _rights(known))
        kept = known.terminal if known.record.label == record.label else ""
        return replace(entry, generation=grown, terminal=kept)

    def _verified(
        self, row: PublishedRecord, keyset: KeySet, keys: Mapping[str, Ed25519PublicKey]
    ) -> tuple[Record, bytes]:
        record = open_record(row.envelope, keys)
        if record.tid != row.tid:
            raise EnvelopeError("it speaks of another token")
        if record.iss != keyset.iss:
            raise EnvelopeError("it comes from another issuer")
        if row.server_key is None:
            return record, b""
        server_key = self._box.open(row.server_key, self._source.server_key_place(row.tid))
        if hashlib.sha256(server_key).hexdigest() != record.server_key_sha256:
            raise EnvelopeError("the server key is not the record's")
        return record, server_key

    def _is_outdated(self, record: Record) -> bool:
        seen = self.seen.of("rec", record.tid)
        if record.rec_ver < seen.version or (seen.revoked and record.status != "revoked"):
            level = logging.DEBUG if record.tid in self._told else logging.ERROR
            logger.log(level, "the record of token %s is older than one seen before", record.tid)
            self.seen.insist("rec", record.tid)
            return True
        self._told.discard(record.tid)
        self.seen.note("rec", record.tid, record.rec_ver, record.status == "revoked")
        return False


def _withdrawn(entry: TokenEntry) -> TokenEntry:
    if entry.withdrawn:
        return entry
    return replace(entry, withdrawn=True, generation=entry.generation + 1)


def _rights(entry: TokenEntry) -> tuple[object, ...]:
    """Return what open connections depend on; its end is watched by the clock instead."""
    record = entry.record
    is_over = entry.withdrawn or record.status in ("revoked", "disabled")
    return (is_over, record.label, record.platform, record.scopes, record.stored_key)
