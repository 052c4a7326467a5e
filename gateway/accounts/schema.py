"""Tables of the accounts, in the home's database and in the ledger."""

from __future__ import annotations

from gateway.credentials.sealed import SealedColumn

from . import equity, switch_log, trades

TABLES = """
-- accounts registered with their password, which is sealed; that of a deleted one is gone
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ref TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    broker TEXT NOT NULL,
    login INTEGER NOT NULL,
    server TEXT NOT NULL,
    server_key TEXT NOT NULL,
    is_live INTEGER NOT NULL CHECK (is_live IN (0, 1)),
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    allowed_symbols TEXT NOT NULL,
    max_lot_size REAL NOT NULL,
    risk_pct REAL NOT NULL,
    auto_trade_enabled INTEGER NOT NULL CHECK (auto_trade_enabled IN (0, 1)),
    paper_trade_enabled INTEGER NOT NULL CHECK (paper_trade_enabled IN (0, 1)),
    mt5_path TEXT NOT NULL,
    account_type TEXT NOT NULL CHECK (account_type IN ('USD', 'USC')),
    created_at INTEGER NOT NULL,
    password TEXT
) STRICT;
CREATE UNIQUE INDEX one_active_account ON accounts (login, server_key) WHERE is_active = 1;

-- rules for all accounts of an owner
CREATE TABLE risk_settings (
    owner TEXT PRIMARY KEY,
    settings TEXT NOT NULL
) STRICT;
"""

ONCE_AN_OWNER = """
-- nobody's registration stands in the way of another owner's
DROP INDEX one_active_account;
CREATE UNIQUE INDEX one_active_account_an_owner ON accounts (owner, login, server_key)
WHERE is_active = 1;
"""

LEDGER_TABLES = trades.TABLE + equity.TABLE + switch_log.TABLE

PASSWORDS = SealedColumn("accounts", "ref", "password")
