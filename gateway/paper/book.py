"""The books of paper accounts, as rows of the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from ea_bridge.model import Account, TradeResult
from ea_bridge.simulation.broker import Broker
from ea_bridge.simulation.broker.broker import BookRows
from gateway.storage.ledger import Ledger

TABLE = """
CREATE TABLE paper_accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    server TEXT NOT NULL,
    template TEXT NOT NULL,
    time_msc INTEGER NOT NULL,
    UNIQUE (account_id, created_at, server)
) STRICT;
CREATE TABLE paper_rows (
    paper_id INTEGER NOT NULL REFERENCES paper_accounts (id),
    kind TEXT NOT NULL,
    ticket INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (paper_id, kind, ticket)
) STRICT, WITHOUT ROWID;
CREATE TABLE paper_results (
    command_id INTEGER PRIMARY KEY,
    result TEXT NOT NULL
) STRICT;
"""
"""``template`` is the account as the terminal told of it first; ``time_msc`` when the books
changed last, by the broker's clock; ``kind`` is ``order``, ``past``, ``holding`` or ``deal``, and
``body`` that as JSON. ``paper_results`` is what an EA keeps in its file: the commands that were
executed, of all accounts."""

FIRST_TICKET = 2**51
"""Tickets on paper lie from here to 2^52, where those of held orders begin: above any broker's,
and exact in JavaScript."""
TICKETS_EACH = 2**24
"""Room of one account, so that no two share a ticket."""

_template = msgspec.json.Decoder(Account)
_result = msgspec.json.Decoder(TradeResult)


class BookKey(NamedTuple):
    """Key of books: one registration of an account."""

    account_id: int
    created_at: int
    server: str


class Kept(NamedTuple):
    """Books of one account as they are kept."""

    row: int
    template: Account
    time_msc: int


class PaperBook:
    """The rows of one account.

    Args:
        ledger: open.
        key: whose.

    """

    def __init__(self, ledger: Ledger, key: BookKey) -> None:
        self._ledger = ledger
        self._key = key
        self._row = 0
        self._rows = BookRows()

    def find(self) -> Kept | None:
        """Return what is kept; ``None`` where the account never was on paper."""
        row = self._ledger.reader.one(
            "SELECT id, template, time_msc FROM paper_accounts "
            "WHERE account_id = ? AND created_at = ? AND server = ?",
            *self._key,
        )
        if row is None:
            return None
        return Kept(row["id"], _template.decode(row["template"]), row["time_msc"])

    async def create(self, template: Account) -> Kept:
        """Begin the books of an account; return them as they are kept."""
        values = (*self._key, _text(template))

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO paper_accounts (account_id, created_at, server, template, time_msc) "
                # two terminals of one account may be the first at the same moment
                "VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
                values,
            )

        await self._ledger.write(work)
        kept = self.find()
        assert kept is not None, "it was written a moment ago"
        return kept

    def load(self, kept: Kept, broker: Broker) -> bool:
        """Put what is kept into a new broker; return whether there was anything."""
        self._row = kept.row
        rows = self._ledger.reader.all(
            "SELECT kind, body FROM paper_rows WHERE paper_id = ? ORDER BY kind, ticket", kept.row
        )
        told = ((row["kind"], row["body"]) for row in rows)
        return self._rows.load(broker, told, kept.time_msc)

    def saving(
        self, broker: Broker, now_msc: int, done: tuple[int, TradeResult] | None
    ) -> Callable[[sqlite3.Connection], None]:
        """Return what writes all that has changed since the last time, and a command's result."""
        # encoded here, in the loop: in the writer's thread the broker could change meanwhile
        row, (gone, fresh) = self._row, self._rows.changes(broker)
        stored = None if done is None else (done[0], _text(done[1]))

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM paper_rows WHERE paper_id = ? AND kind = ? AND ticket = ?",
                ((row, *key) for key in gone),
            )
            connection.executemany(
                "INSERT INTO paper_rows (paper_id, kind, ticket, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (paper_id, kind, ticket) DO UPDATE SET body = excluded.body",
                ((row, *entry) for entry in fresh),
            )
            # max(): the broker's time on paper never goes back, whatever a terminal's clock does
            connection.execute(
                "UPDATE paper_accounts SET time_msc = max(time_msc, ?) WHERE id = ?",
                (now_msc, row),
            )
            if stored is not None:
                connection.execute("INSERT OR REPLACE INTO paper_results VALUES (?, ?)", stored)

        return work


def result_of(ledger: Ledger, command_id: int) -> TradeResult | None:
    """Return what became of a command; ``None`` where it was never executed."""
    row = ledger.reader.one("SELECT result FROM paper_results WHERE command_id = ?", command_id)
    return None if row is None else _result.decode(row["result"])


def _text(body: Any) -> str:
    return msgspec.json.encode(body).decode()
