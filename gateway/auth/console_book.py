"""Records that the console has offered, kept in the home: the source of the book of records.

Nothing in these tables is believed because it is there: whatever is read is verified again, from
the pinned root key on. Only stops are taken at their word.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.issuer import Published, PublishedRecord
from gateway.credentials.keyset import parse_root
from gateway.credentials.secrets import Place, SealedColumn
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
