"""Intents and their commands as rows of the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from ea_bridge.model import TradeRequest, TradeResult
from gateway.storage.store import Store
from gateway.trading.requests import ReceiptContext

from .intents import (
    ENDS,
    WATCHED_MS,
    AccountKey,
    CallKey,
    CommandRecord,
    Intent,
    ManualSettlement,
    Stage,
)

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
"""``params``, ``answer``, ``request``, ``memo`` and ``result`` are JSON; ``memo`` is the context
of a command, ``actor`` the id of a token, ``ticket`` that of the order that was made, ``position``
what was to be closed. ``terminal_accounts`` tells whose orders a terminal's are before it has
dialled in again."""
SETTLEMENTS = """
CREATE TABLE settlements (
    order_id INTEGER PRIMARY KEY REFERENCES orders (id),
    said TEXT NOT NULL,
    watched_until_ms INTEGER
) STRICT;
CREATE INDEX settlements_watched ON settlements (watched_until_ms)
    WHERE watched_until_ms IS NOT NULL;
"""
"""``said`` is JSON; ``watched_until_ms`` is null where what was said has turned out to be true, or
not."""


_encoder = msgspec.json.Encoder()
_request = msgspec.json.Decoder(TradeRequest)
_context = msgspec.json.Decoder(ReceiptContext)
_result = msgspec.json.Decoder(TradeResult)
_settlement = msgspec.json.Decoder(ManualSettlement)

_NEW_ORDER = """
INSERT INTO orders (login, server, client_order_id, terminal, actor, method, params, stage,
    reconciled, created_ms, updated_ms, answer)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (login, server, client_order_id) DO UPDATE
SET terminal = excluded.terminal, actor = excluded.actor, method = excluded.method,
    params = excluded.params, stage = excluded.stage, reconciled = excluded.reconciled,
    created_ms = excluded.created_ms, updated_ms = excluded.updated_ms, answer = excluded.answer
WHERE stage = 'not_sent'
RETURNING id
"""
_NEW_SEND = """
INSERT INTO sends (order_id, command_id, fp, request, memo, stage, created_ms, err, retcode,
    position)
VALUES (?, ?, ?, ?, ?, 'journaled', ?, 0, 0, ?)
"""
_END_ORDER = """
UPDATE orders SET stage = ?, reconciled = ?, updated_ms = ?, answer = ? WHERE id = ?
"""
_END_SEND = """
UPDATE sends SET stage = ?, written_ms = ?, acked_ms = ?, ended_ms = ?, result = ?, err = ?,
    retcode = ?, ticket = ?
WHERE command_id = ?
"""
_SETTLE = """
INSERT INTO settlements VALUES (?, ?, ?)
ON CONFLICT (order_id) DO UPDATE
SET said = excluded.said, watched_until_ms = excluded.watched_until_ms
"""
_CLAIMED = """
SELECT DISTINCT ticket FROM json_each(?) AS asked
CROSS JOIN sends ON sends.ticket = asked.value
JOIN orders ON orders.id = sends.order_id
WHERE login = ? AND server = ?
"""


Work = Callable[[sqlite3.Connection], int]
"""Run in the ledger's thread; returns the row of the intent."""


class IdTaken(Exception):
    """There is a row of that id already, which is not free."""


# --- writing ------------------------------------------------------------------------------------
#
# What is written is read from the intent when a function is called, in the loop's thread; what it
# returns is run in the ledger's.


def inserting(intent: Intent, send: CommandRecord | None) -> Work:
    """Return what writes a command that is about to be sent, or none, and its intent if that is
    not there yet. How its earlier commands have ended is written as well.

    An intent that was not sent makes room for a new one of the same id.

    Raises:
        IdTaken: by what is returned: the id stands for something else.

    """
    asked, row = intent.asked, intent.row
    order = (
        *asked.account,
        asked.client_order_id,
        intent.terminal,
        asked.actor,
        asked.method,
        asked.params,
        Stage.JOURNALED if send is not None else intent.stage,
        intent.reconciled,
        intent.created_ms,
        intent.updated_ms,
        _text(intent.answer),
    )
    command = None if send is None else _sent(send)
    # read here, in the loop's thread: the intent goes on changing while the ledger writes
    before = [_ended(send) for send in intent.sends]

    def work(connection: sqlite3.Connection) -> int:
        order_id = row
        if order_id is None:
            found = connection.execute(_NEW_ORDER, order).fetchone()
            # the upsert touches only a row that was not sent; any other keeps its id for good
            if found is None:
                raise IdTaken(asked.client_order_id)
            order_id = int(found[0])
        # in the same commit: the refusal of the first filling mode, then the second command
        for ended in before:
            connection.execute(_END_SEND, ended)
        if command is not None:
            connection.execute(_NEW_SEND, (order_id, *command))
        return order_id

    return work


def updating(intent: Intent) -> Work:
    """Return what writes how an intent that is there, and its commands, stand."""
    assert intent.row is not None
    row = intent.row
    order = (
        intent.stage,
        intent.reconciled,
        intent.updated_ms,
        _text(intent.answer),
        row,
    )
    sends = [_ended(send) for send in intent.sends]
    settled = None if intent.settlement is None else _settled(row, intent.settlement)

    def work(connection: sqlite3.Connection) -> int:
        connection.execute(_END_ORDER, order)
        for send in sends:
            connection.execute(_END_SEND, send)
        if settled is not None:
            connection.execute(_SETTLE, settled)
        return row

    return work


def unless_ended(intent: Intent, work: Work) -> Work:
    """Return a write of how an unknown intent stands, which does nothing once its end is
    stored.
    """
    row = intent.row
    if intent.stage is not Stage.UNKNOWN or row is None:
        return work

    def checked(connection: sqlite3.Connection) -> int:
        found = connection.execute("SELECT stage FROM orders WHERE id = ?", (row,)).fetchone()
        return row if found is not None and found[0] in ENDS else work(connection)

    return checked


def _sent(send: CommandRecord) -> tuple[object, ...]:
    return (
        send.command_id,
        send.fp,
        _encoder.encode(send.request).decode(),
        _encoder.encode(send.context).decode(),
        send.created_ms,
        send.exited,
    )


def _ended(send: CommandRecord) -> tuple[object, ...]:
    return (
        send.stage,
        send.written_ms,
        send.acked_ms,
        send.ended_ms,
        None if send.result is None else _encoder.encode(send.result).decode(),
        send.err,
        send.retcode,
        send.ticket,
        send.command_id,
    )


def _settled(row: int, settlement: ManualSettlement) -> tuple[object, ...]:
    until_ms = settlement.time_ms + WATCHED_MS if settlement.is_watched else None
    return (row, _encoder.encode(settlement).decode(), until_ms)


def _text(answer: bytes | None) -> str | None:
    return None if answer is None else answer.decode()


def note_account(connection: sqlite3.Connection, terminal: str, account: AccountKey) -> None:
    """Write which account a terminal is logged in to."""
    connection.execute(
        "INSERT INTO terminal_accounts VALUES (?, ?, ?) ON CONFLICT (terminal) "
        "DO UPDATE SET login = excluded.login, server = excluded.server",
        (terminal, *account),
    )


# --- reading ------------------------------------------------------------------------------------


def find(store: Store, account: AccountKey, client_order_id: str) -> Intent | None:
    """Return the intent of an id, with its commands."""
    row = store.one(
        "SELECT * FROM orders WHERE login = ? AND server = ? AND client_order_id = ?",
        *account,
        client_order_id,
    )
    return None if row is None else _intent(store, row)


def unresolved(store: Store) -> list[Intent]:
    """Return those whose end is not known, oldest first."""
    rows = store.all("SELECT * FROM orders WHERE stage IN ('journaled', 'unknown') ORDER BY id")
    return [_intent(store, row) for row in rows]


def watched(store: Store, now_ms: int) -> list[Intent]:
    """Return those that were settled by hand, and may turn out to have ended otherwise."""
    rows = store.all(
        "SELECT orders.* FROM settlements JOIN orders ON orders.id = order_id "
        "WHERE watched_until_ms > ? ORDER BY order_id",
        now_ms,
    )
    return [_intent(store, row) for row in rows]


def owner(store: Store, account: AccountKey, ticket: int) -> str | None:
    """Return the id whose command has made an order; ``None``: none has."""
    row = store.one(
        "SELECT client_order_id FROM sends JOIN orders ON orders.id = sends.order_id "
        "WHERE ticket = ? AND login = ? AND server = ?",
        ticket,
        *account,
    )
    return None if row is None else row[0]


def claimed(store: Store, account: AccountKey, tickets: Iterable[int]) -> set[int]:
    """Return the tickets that commands are known to have made or touched."""
    found = store.all(_CLAIMED, json.dumps(list(tickets)), *account)
    return {row[0] for row in found}


def exits(store: Store, account: AccountKey, position: int) -> dict[int, Stage]:
    """Return the commands that were to close a position, and how each stands."""
    found = store.all(
        "SELECT command_id, sends.stage FROM sends JOIN orders ON orders.id = sends.order_id "
        "WHERE position = ? AND login = ? AND server = ?",
        position,
        *account,
    )
    return {row["command_id"]: Stage(row["stage"]) for row in found}


def last_command_id(store: Store) -> int:
    """Return the largest id that a command ever had; 0 where there was none."""
    row = store.one("SELECT max(command_id) FROM sends")
    return 0 if row is None or row[0] is None else row[0]


def last_sent_ms(store: Store) -> int:
    """Return when the last command was noted, in UTC milliseconds; 0 where there was none."""
    row = store.one("SELECT created_ms FROM sends ORDER BY command_id DESC LIMIT 1")
    return 0 if row is None else row["created_ms"]


def accounts(store: Store) -> dict[str, AccountKey]:
    """Return the account that each terminal was logged in to last."""
    rows = store.all("SELECT terminal, login, server FROM terminal_accounts")
    return {row["terminal"]: AccountKey(row["login"], row["server"]) for row in rows}


def _intent(store: Store, row: sqlite3.Row) -> Intent:
    sends = store.all("SELECT * FROM sends WHERE order_id = ? ORDER BY command_id", row["id"])
    said = store.one("SELECT said FROM settlements WHERE order_id = ?", row["id"])
    asked = CallKey(
        AccountKey(row["login"], row["server"]),
        row["client_order_id"],
        row["method"],
        row["params"],
        row["actor"],
    )
    return Intent(
        asked=asked,
        terminal=row["terminal"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        stage=Stage(row["stage"]),
        reconciled=bool(row["reconciled"]),
        sends=[_send(send) for send in sends],
        answer=None if row["answer"] is None else row["answer"].encode(),
        row=row["id"],
        settlement=None if said is None else _settlement.decode(said["said"]),
    )


def _send(row: sqlite3.Row) -> CommandRecord:
    return CommandRecord(
        command_id=row["command_id"],
        request=_request.decode(row["request"]),
        context=_context.decode(row["memo"]),
        fp=row["fp"],
        stage=Stage(row["stage"]),
        created_ms=row["created_ms"],
        written_ms=row["written_ms"],
        acked_ms=row["acked_ms"],
        ended_ms=row["ended_ms"],
        result=None if row["result"] is None else _result.decode(row["result"]),
        err=row["err"],
        retcode=row["retcode"],
    )
