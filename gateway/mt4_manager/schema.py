"""The tables of the manager, in the home's database. Its journal is in the ledger."""

from __future__ import annotations

from gateway.credentials.secrets import SealedColumn

TABLES = """
-- people and programs that may use the manager API
CREATE TABLE manager_operators (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('read', 'operator', 'admin')),
    password TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- their bearer tokens, of which only hashes are kept
CREATE TABLE manager_tokens (
    digest BLOB PRIMARY KEY,
    operator TEXT NOT NULL REFERENCES manager_operators (name) ON DELETE CASCADE,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    session_ends_at INTEGER NOT NULL
) STRICT;
CREATE INDEX manager_tokens_of ON manager_tokens (operator, issued_at);

-- where the peer shall be connected to, as an operator has told it
CREATE TABLE manager_connection (
    name TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    login INTEGER NOT NULL,
    password TEXT,
    wanted INTEGER NOT NULL CHECK (wanted IN (0, 1))
) STRICT;

-- secrets of the manager's own, such as the pepper of passwords
CREATE TABLE manager_secrets (
    name TEXT PRIMARY KEY,
    sealed TEXT NOT NULL
) STRICT;
"""

CONNECTION_PASSWORD = SealedColumn("manager_connection", "name", "password")
OWN_SECRETS = SealedColumn("manager_secrets", "name", "sealed")
SEALED = (CONNECTION_PASSWORD, OWN_SECRETS)
"""All columns that hold what the box sealed."""
