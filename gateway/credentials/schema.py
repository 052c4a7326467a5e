"""The tables of the local issuer.

A database is opened with all tables of the gateway, never with these alone:
:class:`gateway.home.home.Home` does it.
"""

from __future__ import annotations

from .secrets import SealedColumn

TABLES = """
-- the keys that seal secrets, to recognise them; they themselves lie elsewhere
CREATE TABLE secret_keys (
    kid TEXT PRIMARY KEY,
    check_value BLOB NOT NULL
) STRICT;

-- 'root' and the operational keys, in the order of their making; the private part is sealed
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    private_key TEXT NOT NULL,
    nbf INTEGER NOT NULL,
    exp INTEGER
) STRICT;

CREATE TABLE key_sets (
    ver INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL
) STRICT;

-- what is said of each token; the server key is sealed
CREATE TABLE records (
    tid TEXT PRIMARY KEY,
    envelope TEXT NOT NULL,
    server_key TEXT NOT NULL
) STRICT;
"""

KEY_STORES = """
-- where the key was made, and what is random and public of the home: the name of its key in a
-- keyring, the salt of its passphrase
ALTER TABLE secret_keys ADD COLUMN store TEXT NOT NULL DEFAULT 'file';
ALTER TABLE secret_keys ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
"""

KEY_STATES = """
-- 'current' seals everything; 'coming' and 'retired' ones seal nothing: their keys are to be
-- deleted where they lie. When a recovery kit of the key was printed, in seconds.
ALTER TABLE secret_keys ADD COLUMN state TEXT NOT NULL DEFAULT 'current'
    CHECK (state IN ('coming', 'current', 'retired'));
ALTER TABLE secret_keys ADD COLUMN kit_at INTEGER;
CREATE UNIQUE INDEX one_current_key ON secret_keys (state) WHERE state = 'current';
"""

PRIVATE_KEYS = SealedColumn("signing_keys", "kid", "private_key")
SERVER_KEYS = SealedColumn("records", "tid", "server_key")
SEALED = (PRIVATE_KEYS, SERVER_KEYS)
"""What is sealed in these tables."""
