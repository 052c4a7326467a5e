"""The tables of the journal in the ledger."""

TABLE = """
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    login INTEGER NOT NULL,
    server TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    terminal TEXT NOT NULL,
    actor TEXT NOT NULL,
    method TEXT NOT NULL,
    params TEXT NOT NULL,
    stage TEXT NOT NULL,
    reconciled INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    answer TEXT,
    UNIQUE (login, server, client_order_id)
) STRICT;
CREATE INDEX orders_open ON orders (id) WHERE stage IN ('journaled', 'unknown');
CREATE TABLE sends (
    command_id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (id),
    fp TEXT NOT NULL,
    request TEXT NOT NULL,
    memo TEXT NOT NULL,
    stage TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    written_ms INTEGER,
    acked_ms INTEGER,
    ended_ms INTEGER,
    result TEXT,
    err INTEGER NOT NULL,
    retcode INTEGER NOT NULL,
    ticket INTEGER,
    position INTEGER
) STRICT;
CREATE INDEX sends_of ON sends (order_id);
CREATE INDEX sends_ticket ON sends (ticket) WHERE ticket IS NOT NULL;
CREATE INDEX sends_position ON sends (position) WHERE position IS NOT NULL;
CREATE TABLE terminal_accounts (
    terminal TEXT PRIMARY KEY,
    login INTEGER NOT NULL,
    server TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""``params``, ``answer``, ``request``, ``memo`` and ``result`` are JSON; ``actor`` is
the id of a token, ``ticket`` that of the order that was made, ``position`` what was to be closed.
``terminal_accounts`` tells whose orders a terminal's are before it has dialled in again."""
