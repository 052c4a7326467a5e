"""What the daemon believes of tokens: records that verify against the pinned root key."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ea_bridge.token import Keys
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.issuer import current_keyset, pinned_root, server_key_place
from gateway.credentials.keyset import open_keyset, public_key
from gateway.credentials.record import Record, open_record
from gateway.credentials.secrets import SecretBox
from gateway.store import Store, Version

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A token that the daemon knows."""

    record: Record
    keys: Keys = field(repr=False)
    generation: int
    """Grows whenever the record changes."""

    def refusal(self, now_s: int) -> str | None:
        """Why the token opens nothing now: ``revoked``, ``account_disabled``, ``expired``."""
        if self.record.status == "disabled":
            return "account_disabled"
        if self.record.status != "active":
            return "revoked"
        if self.record.exp is not None and now_s >= self.record.exp:
            return "expired"
        return None


class RecordBook:
    """The records of a store, verified, by token id.

    A record that does not verify is as good as absent; one that is older than what was seen before
    is ignored. What another process writes is seen by the next :meth:`refresh`.
    """

    def __init__(self, store: Store, box: SecretBox) -> None:
        self._store = store
        self._box = box
        self._root: Ed25519PublicKey = public_key(pinned_root(store).decode("ascii"))
        self._keyset_version = 0
        self._data_version: Version = (-1, 0)
        self._entries: dict[str, Entry] = {}

    def get(self, tid: str) -> Entry | None:
        """Return what is known of a token."""
        return self._entries.get(tid)

    def entries(self) -> list[Entry]:
        """Return every token that is known."""
        return list(self._entries.values())

    def refresh(self, now_s: int) -> list[Entry]:
        """Read again if somebody wrote; return the entries that changed since.

        Costs a few microseconds where nobody did.
        """
        version = self._store.data_version()
        if version == self._data_version:
            return []
        fresh = self._read(now_s)
        self._data_version = version
        changed = [entry for tid, entry in fresh.items() if entry != self._entries.get(tid)]
        self._entries.update(fresh)
        return changed

    def _read(self, now_s: int) -> dict[str, Entry]:
        try:
            keyset = open_keyset(current_keyset(self._store), self._root)
        except EnvelopeError:
            _log.error(
                "the key set does not verify against the pinned root key; no token is valid"
            )
            return self._gone(set())
        if keyset.version < self._keyset_version:
            _log.error("the key set is older than one seen before; it is ignored")
            return {}
        self._keyset_version = keyset.version
        keys = keyset.keys_for("rec", now_s)
        found: dict[str, Entry] = {}
        rows = self._store.all("SELECT tid, envelope, server_key FROM records")
        for row in rows:
            entry = self._verified(row["tid"], row["envelope"], row["server_key"], keys)
            if entry is not None:
                found[entry.record.tid] = entry
        return found | self._gone({row["tid"] for row in rows})

    def _verified(
        self, tid: str, envelope: str, sealed: str, keys: dict[str, Ed25519PublicKey]
    ) -> Entry | None:
        known = self._entries.get(tid)
        try:
            record = open_record(envelope, keys)
        except EnvelopeError as error:
            _log.error("the record of token %.12s is refused: %s", tid, error)
            return None
        if record.tid != tid:
            _log.error("the record of token %.12s speaks of another token; it is refused", tid)
            return None
        if known is not None and record.rec_ver < known.record.rec_ver:
            _log.error("the record of token %s is older than one seen before; ignored", tid)
            return known
        if known is not None and record == known.record:
            return known
        server_key = self._box.open(sealed, server_key_place(tid))
        if hashlib.sha256(server_key).hexdigest() != record.server_key_sha256:
            _log.error("the server key of token %s is not the record's; it is refused", tid)
            return None
        generation = 1 if known is None else known.generation + 1
        return Entry(record, Keys(bytes.fromhex(record.stored_key), server_key), generation)

    def _gone(self, present: set[str]) -> dict[str, Entry]:
        """A record that vanished counts as revoked: silence must not open a door."""
        return {
            tid: Entry(
                entry.record.model_copy(update={"status": "revoked"}),
                entry.keys,
                entry.generation + 1,
            )
            for tid, entry in self._entries.items()
            if tid not in present and entry.record.status != "revoked"
        }
