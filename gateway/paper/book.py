"""The books of paper accounts, as rows of the ledger.

What is open is compared with what was written last; what is past is only ever added to, so that
its newest are what there is to write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from ea_bridge.emulator.broker import Broker, Holding
from ea_bridge.model import Account, Deal, Order, TradeResult
from gateway.ledger import Ledger

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

_KINDS: Mapping[str, Any] = {"order": Order, "past": Order, "holding": Holding, "deal": Deal}
_decoders = {kind: msgspec.json.Decoder(type_) for kind, type_ in _KINDS.items()}
_template = msgspec.json.Decoder(Account)
_result = msgspec.json.Decoder(TradeResult)


class BookKey(NamedTuple):
    """Whose books they are: one registration of an account."""

    account_id: int
    created_at: int
    server: str


class Kept(NamedTuple):
    """What is kept of one account."""

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
        self._open: dict[str, dict[int, Any]] = {"order": {}, "holding": {}}
        self._past = {"past": 0, "deal": 0}

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
        found: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
        for row in self._ledger.reader.all(
            "SELECT kind, body FROM paper_rows WHERE paper_id = ? ORDER BY kind, ticket", kept.row
        ):
            found[row["kind"]].append(_decoders[row["kind"]].decode(row["body"]))
        if not any(found.values()):
            return False
        broker.books.restore(
            orders=found["order"],
            past_orders=found["past"],
            holdings=found["holding"],
            deals=found["deal"],
        )
        self._note(broker)
        broker.on_time(kept.time_msc)
        return True

    def saving(
        self, broker: Broker, now_msc: int, done: tuple[int, TradeResult] | None
    ) -> Callable[[sqlite3.Connection], None]:
        """Return what writes all that has changed since the last time, and a command's result."""
        row, gone, fresh = self._row, self._gone(broker), self._fresh(broker)
        stored = None if done is None else (done[0], _text(done[1]))
        self._note(broker)

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM paper_rows WHERE paper_id = ? AND kind = ? AND ticket = ?",
                ((row, *one) for one in gone),
            )
            connection.executemany(
                "INSERT INTO paper_rows (paper_id, kind, ticket, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (paper_id, kind, ticket) DO UPDATE SET body = excluded.body",
                ((row, *one) for one in fresh),
            )
            connection.execute(
                "UPDATE paper_accounts SET time_msc = max(time_msc, ?) WHERE id = ?",
                (now_msc, row),
            )
            if stored is not None:
                connection.execute("INSERT OR REPLACE INTO paper_results VALUES (?, ?)", stored)

        return work

    def _gone(self, broker: Broker) -> list[tuple[str, int]]:
        now = _open(broker)
        return [
            (kind, ticket)
            for kind, before in self._open.items()
            for ticket in before
            if ticket not in now[kind]
        ]

    def _fresh(self, broker: Broker) -> list[tuple[str, int, str]]:
        books = broker.books
        changed = [
            (kind, ticket, _text(one))
            for kind, open_ in _open(broker).items()
            for ticket, one in open_.items()
            if self._open[kind].get(ticket) is not one
        ]
        past = _newest(books.past_orders.values(), self._past["past"], len(books.past_orders))
        deals = _newest(books.deals.values(), self._past["deal"], len(books.deals))
        changed += [("past", one.ticket, _text(one)) for one in past]
        changed += [("deal", one.ticket, _text(one)) for one in deals]
        return changed

    def _note(self, broker: Broker) -> None:
        self._open = {kind: dict(open_) for kind, open_ in _open(broker).items()}
        books = broker.books
        self._past = {"past": len(books.past_orders), "deal": len(books.deals)}


def result_of(ledger: Ledger, command_id: int) -> TradeResult | None:
    """Return what became of a command; ``None`` where it was never executed."""
    row = ledger.reader.one("SELECT result FROM paper_results WHERE command_id = ?", command_id)
    return None if row is None else _result.decode(row["result"])


def _open(broker: Broker) -> dict[str, dict[int, Any]]:
    return {"order": broker.books.orders, "holding": broker.books.holdings}


def _newest(values: Iterable[Any], known: int, count: int) -> list[Any]:
    """Return the last of a dict's values, without a look at those before."""
    return list(islice(reversed(values), count - known))  # type: ignore[call-overload]  # values of a dict can be reversed


def _text(body: Any) -> str:
    return msgspec.json.encode(body).decode()
