"""What the daemon writes into its audit trail, and what it finds there at its start."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from product import Refused, daemon, product, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink, LinkRefused
from ea_bridge.token import new_token, parse_token
from gateway.audit import MISMATCH, SIGNED, Audit, head_of, verify
from gateway.audit import service as audit_service
from gateway.audit.archive import mark, take_out, write_file
from gateway.audit.checkpoint import FILE, copied_checkpoint, read_checkpoint, signed
from gateway.audit.recorder import entry_of
from gateway.credentials.record import Scope
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store
from gateway.storage.ledger import DATABASE

CUT = """
DROP TRIGGER audit_is_not_shortened;
DELETE FROM audit WHERE n > 1;
UPDATE sqlite_sequence SET seq = 1 WHERE name = 'audit';
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit trail is never shortened');
END;
"""


def trail(home: Path) -> list[dict[str, Any]]:
    with closing(open_ledger_store(home)) as store:
        return [json.loads(row["entry"]) for row in store.all("SELECT entry FROM audit")]


def is_intact(home: Path) -> bool:
    """Whether it is, by its rows and by the checkpoint of its device."""
    with Home(home) as opened:
        known = read_checkpoint(home / FILE, opened.device.did)
    with closing(open_ledger_store(home)) as store:
        return verify(store, None if known is None else known.head).is_intact


async def test_a_run_from_its_start_to_its_stop(tmp_path: Path) -> None:
    async with daemon(tmp_path, limits={"max_batch": 7}):
        pass
    first, last, signature = trail(tmp_path)
    assert first["event"] == "daemon_started"
    assert "limits.max_batch = 7" in first["settings"]
    assert last["event"] == "daemon_stopped"
    assert first["boot"] == last["boot"]
    assert signature["event"] == SIGNED
    assert is_intact(tmp_path)
    with Home(tmp_path) as home:
        known = read_checkpoint(tmp_path / FILE, home.device.did)
        assert copied_checkpoint(home.store, home.device.did) == known
    assert known is not None
    assert known.head.n == 3, "what a run has written is signed at its end"


async def test_a_trail_that_was_cut_is_noted_by_the_next_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The gateway runs all the same, the checkpoint is kept aside, and the note stays."""
    async with daemon(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript(CUT)
    assert not is_intact(tmp_path)
    for _ in range(2):
        async with daemon(tmp_path):
            pass
    found = [entry for entry in trail(tmp_path) if entry["event"] == MISMATCH]
    assert [entry["faults"] for entry in found] == [["cut at row 2"]]
    assert (tmp_path / found[0]["checkpoint"]).exists()
    assert "the audit trail is not as it was left" in caplog.text
    assert not is_intact(tmp_path), "until a person has looked into it"


def archive(home: Home) -> None:
    """Archive all rows but the last two, as the command does."""
    with closing(open_ledger_store(home.folder)) as store:
        last = head_of(store).n - 2
        part = write_file(store, home.folder / f"archive-{last}.jsonl", last)
        text = signed(home.device, part.end, 0)
        mark(store, part, text, entry_of("audit_archived", last=last))
        assert take_out(store) == last


async def test_a_trail_is_archived_while_the_gateway_runs(tmp_path: Path) -> None:
    """It writes on, and finds at its next start that all is as it was left."""
    async with daemon(tmp_path) as running:
        audit = Audit(running.gateway.ledger)
        for number in range(100):
            audit.record("something", object=number)
        await audit.written()
        await asyncio.to_thread(archive, running.home)
        audit.record("something", object="more")
    assert is_intact(tmp_path)
    async with daemon(tmp_path):
        pass
    events = [entry["event"] for entry in trail(tmp_path)]
    assert events[:4] == ["something", "something", "audit_archived", "something"]
    assert MISMATCH not in events


async def test_a_begin_that_nobody_has_signed_is_noted(tmp_path: Path) -> None:
    """Who takes rows away at the begin leaves a mark that is no device's."""
    async with daemon(tmp_path):
        pass
    with closing(open_ledger_store(tmp_path)) as store, store.transaction() as connection:
        connection.execute("INSERT INTO audit_marks SELECT n, hash, '{}' FROM audit WHERE n = 1")
        connection.execute("DELETE FROM audit WHERE n = 1")
    async with daemon(tmp_path):
        pass
    (noted,) = [entry for entry in trail(tmp_path) if entry["event"] == MISMATCH]
    assert noted["faults"] == ["replaced at row 0"]


async def test_a_checkpoint_is_made_while_the_gateway_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many entries, or so long; a crash costs no more than that."""
    monkeypatch.setattr(audit_service, "LOOK_S", 0.01)
    monkeypatch.setattr(audit_service, "CHECKPOINT_ENTRIES", 20)

    async with daemon(tmp_path) as running:
        did = running.home.device.did

        def signed() -> int:
            known = read_checkpoint(tmp_path / FILE, did)
            return 0 if known is None else known.head.n

        before = signed()
        audit = Audit(running.gateway.ledger)
        for number in range(100):
            audit.record("something", object=number)
        await until(lambda: signed() >= before + 80)


async def test_who_is_let_in_and_who_is_not(tmp_path: Path) -> None:
    """Programs and web pages: a bot that calls on and on once, each refusal by its reason."""
    async with product(tmp_path) as running:
        token = running.main.token
        bot = await running.http()
        for _ in range(5):
            await bot.call("ping")
        assert running.ready.rpc is not None
        async with aiohttp.ClientSession() as session:
            for headers, reason in (
                ({"Authorization": f"Bearer {new_token()}"}, "unknown"),
                ({"Authorization": f"Bearer {token}", "Origin": "https://evil.test"}, "origin"),
                ({}, "missing"),
            ):
                async with session.post(running.ready.rpc, json={}, headers=headers) as answer:
                    error = (await answer.json())["error"]
                assert error["data"]["reason"] == reason
    entries = trail(tmp_path)
    granted = [one for one in entries if one["event"] == "access_granted"]
    assert [(one.get("terminal"), one.get("more")) for one in granted] == [
        ("main", None),
        (None, 4),
    ]
    assert refusals(entries) == [
        ("access_refused", "unknown"),
        ("request_refused", "origin"),
        ("request_refused", "missing"),
    ]
    linked = [one for one in entries if one["event"].startswith("terminal_")]
    assert [(one["event"], one["terminal"]) for one in linked] == [
        ("terminal_linked", "main"),
        ("terminal_lost", "main"),
    ]
    assert is_intact(tmp_path)


async def test_what_a_caller_may_not_do(tmp_path: Path) -> None:
    """A token for reading that trades, and a token that is revoked under way."""
    async with product(tmp_path) as running:
        token, record = running.home.issuer.create("reader", scopes=(Scope.READ,))
        reader = await running.ws(token)
        with pytest.raises(Refused) as refused:
            await reader.call("place_order", symbol="EURUSD", type="buy", volume=0.1)
        assert refused.value.name == "forbidden"
        running.home.issuer.revoke(record.tid)
        await reader.closed()
    entries = trail(tmp_path)
    (call,) = [one for one in entries if one["event"] == "call_refused"]
    facts = {name: call[name] for name in ("actor", "terminal", "object", "reason", "scope")}
    assert facts == {
        "actor": record.tid,
        "terminal": "reader",
        "object": "place_order",
        "reason": "forbidden",
        "scope": "trade",
    }
    (ended,) = [one for one in entries if one["event"] == "token_ended"]
    assert (ended["object"], ended["reason"]) == (record.tid, "revoked")


async def test_a_terminal_that_is_not_let_in(tmp_path: Path) -> None:
    """Its token is unknown here: it dials in vain, and the trail tells of it."""
    async with daemon(tmp_path) as running:
        host, _, port = running.ready.bridge.rpartition(":")
        stranger = new_token()
        link = EmulatedLink(build_terminal(), host, int(port), stranger, seed=1)
        with pytest.raises(LinkRefused):
            await link.run()
    (refused,) = [one for one in trail(tmp_path) if one["event"] == "terminal_refused"]
    assert (refused["reason"], refused["object"]) == ("unknown", parse_token(stranger))


def refusals(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["event"], one["reason"]) for one in entries if one.get("outcome") == "refused"]


async def test_an_order_through_its_states(tmp_path: Path) -> None:
    """Who asked for what, before it is sent; what became of it; what a limit held back."""
    secret = "canary-comment"
    async with product(tmp_path) as running:
        bot = await running.ws()
        order = {"symbol": "EURUSD", "side": "buy", "volume": 0.01, "comment": secret}
        done = await bot.call("place_order", client_order_id="mine-1", **order)
        with pytest.raises(Refused):
            await bot.call("place_order", client_order_id="mine-2", **{**order, "volume": 0.001})
        actor = parse_token(running.main.token)
    entries = trail(tmp_path)
    states = [one for one in entries if one["event"] == "order"]
    assert [(one["object"], one["state"]) for one in states] == [
        ("mine-1", "journaled"),
        ("mine-1", "done"),
    ]
    assert {one["actor"] for one in states} == {actor}
    assert (states[0]["symbol"], states[0]["volume"]) == ("EURUSD", 0.01)
    assert states[1]["sends"][0]["order"] == done["order"]["order"]
    (held,) = [one for one in entries if one["event"] == "call_refused"]
    assert (held["actor"], held["reason"]) == (actor, "invalid_volume")
    assert secret not in json.dumps(entries), "a comment may say anything"
    assert is_intact(tmp_path)
