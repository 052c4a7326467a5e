"""Held orders and OCO links as rows of the ledger."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Generic, Literal, TypeVar

import msgspec

from ea_bridge.model import Order
from ea_bridge.model.struct import Struct
from gateway.audit import Audit
from gateway.storage.ledger import Ledger
from gateway.trading.journal import AccountKey

TABLE = """
CREATE TABLE contingent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    terminal TEXT NOT NULL,
    login INTEGER NOT NULL,
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (login, server, kind, name)
) STRICT;
CREATE INDEX contingent_open ON contingent (terminal, kind) WHERE is_open;
"""
"""``kind`` is ``held`` or ``oco``; ``name`` a held order's client order id, or a link's own id;
``body`` the struct of that kind as JSON. Ids are never used again."""


HeldStage = Literal["waiting", "sending", "triggered", "ended"]
"""``sending``: its price was reached, and the limit order of this attempt may have been sent;
``triggered``: it surely was not taken, and another attempt follows."""
OrderEnd = Literal["", "filled", "canceled", "expired", "rejected", "gone"]
"""Of an order in a link; empty while it waits, ``gone`` where nobody knows how it ended."""
LinkState = Literal["active", "cancelling", "done", "unlinked"]


class HeldOrder(Struct, frozen=True, kw_only=True):
    """An order that the daemon keeps until its price is reached."""

    account: AccountKey
    tid: str
    """The token in whose name it will be sent."""
    client_order_id: str
    order: Order
    """As clients see it; its ticket is ours, its times the broker's."""
    words: str
    """The caller's comment, without any tag."""
    created_ms: int
    expiration_ms: int | None = None
    stage: HeldStage = "waiting"
    attempt: int = 0
    """How many limit orders were sent, or begun to be."""
    placed: int = 0
    """Ticket of the limit order that it became."""
    reason: str = ""
    """Why the last attempt failed, or why it ended: the name of an error."""
    asked: str = ""
    """The params of the call that placed it, as the journal keeps them; empty where an earlier
    version has written the row."""

    @property
    def said(self) -> dict[str, Any]:
        """Words of the audit trail on it."""
        order = self.order
        return {
            "actor": self.tid,
            "object": self.client_order_id,
            "outcome": self.stage,
            "reason": self.reason or None,
            "attempt": self.attempt,
            "state": order.state,
            "became": order.became or None,
            "type": order.type,
            "symbol": order.symbol,
            "volume": order.volume_initial,
            "price": order.price_open,
            "stoplimit": order.price_stoplimit,
            "sl": order.sl,
            "tp": order.tp,
        }

    @property
    def attempt_id(self) -> str:
        """The client order id of the present attempt: made from the order's own, never reused."""
        said = f"{self.account.login}|{self.account.server}|{self.client_order_id}"
        digest = hashlib.sha256(said.encode()).hexdigest()
        return f"held-{digest[:32]}.{self.attempt}"


class LinkedOrder(Struct, frozen=True, kw_only=True):
    """An order in a link."""

    ticket: int
    end: OrderEnd = ""


class OcoLink(Struct, frozen=True, kw_only=True):
    """Orders of which the first that ends takes the others with it."""

    id: str
    account: AccountKey
    tid: str
    created_ms: int
    orders: tuple[LinkedOrder, ...]
    state: LinkState = "active"
    attempt: int = 0
    """How many cancels were sent, or begun to be."""
    problem: str = ""
    """Why the last cancel failed: the name of an error."""
    ended_ms: int | None = None

    @property
    def waiting(self) -> set[int]:
        """The tickets of those of its orders that have not ended."""
        return {order.ticket for order in self.orders if not order.end}

    @property
    def said(self) -> dict[str, Any]:
        """Words of the audit trail on it."""
        return {
            "actor": self.tid,
            "object": self.id,
            "outcome": self.state,
            "reason": self.problem or None,
            "attempt": self.attempt,
            "orders": [[order.ticket, order.end] for order in self.orders],
        }


B = TypeVar("B", HeldOrder, OcoLink)


class OpenRows:
    """Rows of all terminals that were not over when the daemon started.

    All are read at once then: a disk that reports errors fails the start, with a message that says
    so. Were they read when their terminal links, nobody would keep its orders after an error.

    Raises:
        StoreError: they cannot be read.

    """

    def __init__(self, ledger: Ledger) -> None:
        self._rows: dict[tuple[str, str], list[sqlite3.Row]] = {}
        for row in ledger.reader.all("SELECT * FROM contingent WHERE is_open ORDER BY id"):
            self._rows.setdefault((row["terminal"], row["kind"]), []).append(row)

    def of(self, terminal: str, kind: str) -> list[sqlite3.Row]:
        """Return those of a terminal and of one kind, oldest first."""
        return self._rows.get((terminal, kind), [])


class ContingentBook(Generic[B]):
    """One terminal's rows of one kind.

    Args:
        ledger: open.
        terminal: its name.
        kind: of the rows.
        body: the struct that they hold.
        audit: told of each row in the row's own transaction.
        at_start: rows of the daemon's start, among which are its own.

    """

    def __init__(
        self,
        ledger: Ledger,
        terminal: str,
        kind: str,
        body: type[B],
        audit: Audit,
        at_start: OpenRows,
    ) -> None:
        self._ledger = ledger
        self._terminal = terminal
        self._kind = kind
        self._audit = audit
        self._at_start = at_start
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body)

    async def add(self, name: str, body: B, *, adds_risk: bool = False) -> int | None:
        """Write a row; return its id, or ``None`` where the account has one of that name."""

        def work(connection: sqlite3.Connection) -> int | None:
            return self._insert(connection, name, body)

        return await self._ledger.write(work, adds_risk=adds_risk)

    async def add_apart(self, name: str, body: B, is_rival: Callable[[B], bool]) -> int | B | None:
        """Write a row, as :meth:`add` does, unless the terminal has a rival of it.

        It is looked for among the rows that are not over, in the transaction that writes: before
        it, calls may cross. Those of another terminal of the account do not count: it may be away,
        and then nobody acts on them.

        Args:
            name, body: of the row.
            is_rival: whether a row must not be there together with this one. The first such row
                is returned, and nothing is written.

        """

        def work(connection: sqlite3.Connection) -> int | B | None:
            rivals = filter(is_rival, self._open_of(connection, body.account))
            return next(rivals, None) or self._insert(connection, name, body)

        return await self._ledger.write(work)

    def _insert(self, connection: sqlite3.Connection, name: str, body: B) -> int | None:
        row = connection.execute(
            "INSERT INTO contingent (kind, terminal, login, server, name, is_open, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (self._kind, self._terminal, *body.account, name, 1, _text(body)),
        ).fetchone()
        if row is None:
            return None
        self._note(connection, body)
        return int(row[0])

    def _open_of(self, connection: sqlite3.Connection, account: AccountKey) -> Iterator[B]:
        rows = connection.execute(
            "SELECT body FROM contingent INDEXED BY contingent_open "
            "WHERE is_open AND kind = ? AND login = ? AND server = ? AND terminal = ? ORDER BY id",
            (self._kind, *account, self._terminal),
        )
        return (self._decoder.decode(row[0]) for row in rows)

    async def save(self, row: int, body: B, *, is_open: bool) -> None:
        """Write a row's present state; returns when it is on the disk."""
        text = _text(body)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE contingent SET body = ?, is_open = ? WHERE id = ?", (text, is_open, row)
            )
            self._note(connection, body)

        await self._ledger.write(work)

    def open(self) -> dict[int, B]:
        """Return the rows that were not over at the daemon's start, by id, oldest first."""
        rows = self._at_start.of(self._terminal, self._kind)
        return {row["id"]: self._read(row) for row in rows}

    def find(self, account: AccountKey, name: str) -> tuple[int, B] | None:
        """Return a row by its name, over or not."""
        row = self._ledger.reader.one(
            "SELECT id, body FROM contingent "
            "WHERE login = ? AND server = ? AND kind = ? AND name = ?",
            *account,
            self._kind,
            name,
        )
        return None if row is None else (row["id"], self._read(row))

    def get(self, row_id: int) -> B | None:
        """Return a row of this terminal by its id, over or not."""
        row = self._ledger.reader.one(
            "SELECT body FROM contingent WHERE id = ? AND terminal = ? AND kind = ?",
            row_id,
            self._terminal,
            self._kind,
        )
        return None if row is None else self._read(row)

    def newest(self, count: int) -> list[B]:
        """Return the newest rows, over or not, newest first."""
        rows = self._ledger.reader.all(
            "SELECT body FROM contingent WHERE terminal = ? AND kind = ? ORDER BY id DESC LIMIT ?",
            self._terminal,
            self._kind,
            count,
        )
        return [self._read(row) for row in rows]

    def _note(self, connection: sqlite3.Connection, body: B) -> None:
        event = "held_order" if self._kind == "held" else "oco_link"
        self._audit.record_with(connection, event, terminal=self._terminal, **body.said)

    def _read(self, row: sqlite3.Row) -> Any:
        return self._decoder.decode(row["body"])


def _text(body: Struct) -> str:
    return msgspec.json.encode(body).decode()
