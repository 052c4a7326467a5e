"""What is recorded: in the ledger's groups, from many programs, without a secret."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ea_bridge.token import new_token
from gateway.audit import MARKS, TABLE, Audit, note, verify
from gateway.audit.recorder import MAX_ENTRY, MAX_KINDS, MAX_TEXT, Kind, Sampler, encode
from gateway.storage.ledger import Ledger


@pytest.fixture(name="ledger")
def make_ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path, [TABLE, MARKS])
    yield ledger
    ledger.close()


def entries(ledger: Ledger) -> list[dict[str, Any]]:
    return [json.loads(row["entry"]) for row in ledger.reader.all("SELECT entry FROM audit")]


async def test_what_is_recorded_is_there_in_its_order(ledger: Ledger):
    audit = Audit(ledger)
    for number in range(100):
        audit.record("order", object=number)
    await audit.written()

    assert [entry["object"] for entry in entries(ledger)] == list(range(100))
    assert verify(ledger.reader).is_intact


async def test_an_entry_says_when_and_of_which_run(ledger: Ledger):
    audit = Audit(ledger)
    audit.record("order", actor="AAAA", reason=None)
    await audit.written()

    (entry,) = entries(ledger)
    assert entry.keys() == {"ts", "mono_us", "boot", "event", "actor"}
    assert entry["boot"] == audit.boot


async def test_it_is_there_with_the_work_that_it_tells_of_or_not_at_all(ledger: Ledger):
    audit = Audit(ledger)

    def fails(connection: sqlite3.Connection) -> None:
        audit.record_with(connection, "order", object="of the work that fails")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        await ledger.write(fails)
    await ledger.write(lambda connection: audit.record_with(connection, "order", object="good"))

    assert [entry["object"] for entry in entries(ledger)] == ["good"]
    assert verify(ledger.reader).is_intact


async def test_several_programs_write_one_chain(ledger: Ledger, tmp_path: Path):
    """The daemon and commands append to one file at once."""
    other = Ledger(tmp_path, [TABLE, MARKS])
    ours, theirs = Audit(ledger), Audit(other)
    for number in range(50):
        ours.record("ours", object=number)
        theirs.record("theirs", object=number)
        if number % 10 == 0:
            await asyncio.gather(ours.written(), theirs.written())
    await asyncio.gather(ours.written(), theirs.written())
    other.close()

    verdict = verify(ledger.reader)
    assert verdict.is_intact
    assert verdict.entries == 100


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET entry = '{}' WHERE n = 1",
        "UPDATE audit SET n = 9 WHERE n = 1",
        "DELETE FROM audit WHERE n = 2",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit VALUES (1, '{}', zeroblob(32))",
        "REPLACE INTO audit VALUES (2, '{}', zeroblob(32))",
        "INSERT INTO audit VALUES (9, '{}', zeroblob(32))",
        "INSERT INTO audit VALUES (-1, '{}', zeroblob(32))",
        "INSERT INTO audit (entry, hash) VALUES ('{}', zeroblob(32))",
    ],
)
async def test_the_table_itself_refuses_to_be_changed(ledger: Ledger, statement: str):
    audit = Audit(ledger)
    audit.record("one")
    audit.record("two")
    await audit.written()

    with pytest.raises(sqlite3.IntegrityError, match="audit trail"):
        await ledger.write(lambda connection: connection.execute(statement).fetchall())
    assert verify(ledger.reader).is_intact


async def test_a_closed_ledger_stops_nobody(ledger: Ledger):
    audit = Audit(ledger)
    ledger.close()
    audit.record("too late")


async def test_without_a_ledger_nothing_is_kept():
    audit = Audit()
    audit.record("order")
    audit.often("order")
    audit.count_left_out(at_end=True)
    await audit.written()
    with sqlite3.connect(":memory:") as connection:
        audit.record_with(connection, "order")
    connection.close()


# --- floods ----------------------------------------------------------------------------------


async def test_of_a_flood_ten_are_noted_and_the_others_counted(ledger: Ledger):
    audit = Audit(ledger)
    for _ in range(500):
        audit.often("access_refused", outcome="refused", reason="unknown")
    audit.often("access_refused", outcome="refused", reason="expired")
    audit.count_left_out(at_end=True)
    await audit.written()

    found = entries(ledger)
    assert [entry["reason"] for entry in found] == ["unknown"] * 10 + ["expired", "unknown"]
    assert found[-1]["more"] == 490


async def test_a_bot_that_calls_on_and_on_is_noted_once(ledger: Ledger):
    audit = Audit(ledger)
    for _ in range(100):
        audit.once_an_hour("access_granted", actor="AAAA")
        audit.once_an_hour("access_granted", actor="BBBB")
    audit.count_left_out()  # the hour is not over
    await audit.written()
    assert [entry["actor"] for entry in entries(ledger)] == ["AAAA", "BBBB"]


async def test_a_stolen_token_does_not_hide_behind_its_owners_bot(ledger: Ledger):
    audit = Audit(ledger)
    for address in (None, "192.168.1.20", "192.168.1.21", "192.168.1.20", None):
        audit.once_an_hour("access_granted", actor="AAAA", address=address)
        audit.often("access_refused", outcome="refused", address=address)
    audit.count_left_out(at_end=True)
    await audit.written()
    granted = [entry for entry in entries(ledger) if entry["event"] == "access_granted"]
    assert [(entry.get("address"), entry.get("more")) for entry in granted] == [
        *((None, None), ("192.168.1.20", None), ("192.168.1.21", None)),
        *((None, 1), ("192.168.1.20", 1)),
    ]


def kind(reason: str) -> Kind:
    return ("access_refused", "refused", reason, None, None)


def test_after_its_time_a_kind_is_noted_again_with_the_number_of_those_before():
    now = [0.0]
    sampler = Sampler(2, 60.0, lambda: now[0])
    assert [sampler.take(kind("a")) for _ in range(5)] == [0, 0, None, None, None]
    now[0] = 60.0
    assert sampler.take(kind("a")) == 3
    assert sampler.over() == []
    assert [sampler.take(kind("a")) for _ in range(3)] == [0, None, None]
    now[0] = 120.0
    assert sampler.over() == [(kind("a"), 2)]
    assert sampler.over() == []


def test_kinds_without_number_cost_bounded_memory_and_lose_nothing():
    sampler = Sampler(1, 60.0)
    taken = [sampler.take(kind(str(number))) for number in range(MAX_KINDS + 100)]
    assert set(taken) == {0}
    assert sampler.take(kind("0")) is None
    assert sampler.take(kind(str(MAX_KINDS))) == 0


# --- secrets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "broker_password",
        "auth_token",
        "token",
        "passphrase",
        "client_secret",
        "Cookie",
    ],
)
def test_what_only_secrets_are_called_is_taken_out(name: str):
    body = encode({"event": "x", name: "canary", "facts": {name: ["canary"]}, "list": [{name: 1}]})
    assert b"canary" not in body
    assert json.loads(body)["event"] == "x"


@pytest.mark.parametrize("wrapped", ["{}", "Bearer {}", "x={}&y", '{{"auth_token":"{}"}}'])
def test_a_token_is_taken_out_wherever_it_stands(wrapped: str):
    token = new_token()
    text = wrapped.format(token)
    body = encode({"event": text, "object": text, "facts": [{text: text}], "number": 1})
    assert token[16:48].encode() not in body


def test_a_name_that_sounds_like_no_secret_is_kept():
    facts = {
        "tid": "AAAA",
        "client_order_id": "a-1",
        "symbol": "EURUSD",
        "ticket": 5,
        "reason": "x",
    }
    assert json.loads(encode(facts)) == facts


def test_an_entry_is_of_bounded_size_and_keeps_its_head():
    wide = {f"field {number}": "x" * 400 for number in range(60)}
    body = encode({"event": "order", "actor": "AAAA", "facts": wide, "more": wide})
    assert len(body) < MAX_ENTRY
    assert json.loads(body)["actor"] == "AAAA"
    assert json.loads(body)["left_out_bytes"] > MAX_ENTRY
    assert len(json.loads(encode({"event": "y" * 10_000}))["event"]) == MAX_TEXT


@pytest.mark.parametrize(
    "value",
    [
        2**70,
        "\ud800",
        float("nan"),
        Decimal("0.10"),
        b"\xff",
        {1: 2},
        [[[[[[["deep"]]]]]]],
        object(),
    ],
    ids=type,
)
async def test_nothing_that_is_recorded_stops_who_records_it(ledger: Ledger, value: object):
    audit = Audit(ledger)
    audit.record("odd", object=value)
    await audit.written()
    assert [entry["event"] for entry in entries(ledger)] == ["odd"]
    assert verify(ledger.reader).is_intact


async def test_a_command_notes_in_its_own_transaction(ledger: Ledger):
    with ledger.reader.transaction() as connection:
        note(connection, "token_created", actor="cli", object="AAAA")
    audit = Audit(ledger)
    audit.record("daemon_started")
    await audit.written()
    assert [entry["event"] for entry in entries(ledger)] == ["token_created", "daemon_started"]
    assert verify(ledger.reader).is_intact
