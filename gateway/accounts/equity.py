"""Samples of the money of registered accounts: one a minute, for thirty days."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.storage.ledger import Ledger

TABLE = """
CREATE TABLE account_equity (
    account_id INTEGER NOT NULL,
    ts_ms INTEGER NOT NULL,
    equity REAL NOT NULL,
    balance REAL NOT NULL,
    PRIMARY KEY (account_id, ts_ms)
) STRICT, WITHOUT ROWID;
"""
HOUR_MS = 3_600_000
MAX_HOURS = 720
"""Older samples are thrown away."""
MAX_POINTS = 2_000
"""In one answer: of a longer time fewer are told, the last one of each equal part."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The money of an account at a time: UTC milliseconds, in the account's own currency."""

    account_id: int
    ts_ms: int
    equity: float
    balance: float


class EquityBook:
    """The samples in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, samples: Sequence[Sample]) -> None:
        """Enter samples with the next group, and throw away those of their accounts that are too
        old."""
        rows = [(one.account_id, one.ts_ms, one.equity, one.balance) for one in samples]
        old = [(one.account_id, one.ts_ms - MAX_HOURS * HOUR_MS) for one in samples]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO account_equity VALUES (?, ?, ?, ?)", rows
            )
            connection.executemany(
                "DELETE FROM account_equity WHERE account_id = ? AND ts_ms < ?", old
            )

        self._ledger.write_soon(work)

    def since(self, account_id: int, from_ms: int, to_ms: int) -> list[Sample]:
        """Return at most :data:`MAX_POINTS` samples of a time, the oldest first."""
        step = max(1, (to_ms - from_ms) // MAX_POINTS + 1)
        rows = self._ledger.reader.all(
            "SELECT max(ts_ms) AS ts_ms, equity, balance FROM account_equity "
            "WHERE account_id = ?1 AND ts_ms BETWEEN ?2 AND ?3 "
            "GROUP BY (ts_ms - ?2) / ?4 ORDER BY ts_ms",
            account_id,
            from_ms,
            to_ms,
            step,
        )
        return [Sample(account_id, row["ts_ms"], row["equity"], row["balance"]) for row in rows]
