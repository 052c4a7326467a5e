"""What should not be: records and keys that are old, broken or gone."""

from __future__ import annotations

import asyncio
import shutil
import sys

import pytest
from gate_house import House, delivered, reason

from gateway.auth import gate as module
from gateway.auth.gate import BLIND_S
from gateway.credentials.issuer import published
from gateway.credentials.keyset import DAY_S
from gateway.storage.store import DATABASE


async def test_an_old_record_does_not_undo_a_revocation(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither while we run nor after a restart, though its signature is right."""
    token, caller = house.admit()
    (old,) = published(house.home.store).records
    house.home.issuer.revoke("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    house.alter("UPDATE records SET envelope = ?", old.envelope)
    assert reason(lambda: house.gate.admit(token)) == "revoked"
    restarted = house.new_gate()
    assert reason(lambda: restarted.admit(token)) == "revoked"
    assert "older than one seen before" in caplog.text


async def test_an_old_key_set_is_refused(house: House) -> None:
    """A key that was taken out of the set does not come back in."""
    token, _ = house.admit()
    old = published(house.home.store)
    house.now += 80 * DAY_S
    house.home.issuer.renew()
    house.gate.admit(token)
    house.alter("DELETE FROM key_sets WHERE ver = 2")
    house.alter("UPDATE records SET envelope = ?", old.records[0].envelope)
    assert reason(lambda: house.gate.admit(token)) == "lease_expired"
    assert reason(lambda: house.new_gate().admit(token)) == "unknown"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM records",
        "UPDATE records SET envelope = 'x'",
        "UPDATE records SET server_key = 'x'",
        "UPDATE records SET tid = 'ZZZZZZZZZZZZ'",
    ],
)
async def test_a_record_that_goes_or_breaks_opens_nothing(house: House, sql: str) -> None:
    """Silence must not keep a door open."""
    token, caller = house.admit()
    house.alter(sql)
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    assert reason(lambda: house.new_gate().admit(token)) == "unknown"
    await delivered()
    assert house.changes == [(caller.tid, "revoked")]


@pytest.mark.parametrize(
    "gap", ["UPDATE records SET tid = 'ZZZZZZZZZZZZ'", "UPDATE records SET envelope = 'x'"]
)
async def test_a_caller_of_the_past_is_let_in_again(house: House, gap: str) -> None:
    """A record that was gone or broken comes back, but nobody slips over the gap."""
    token, caller = house.admit()
    (row,) = published(house.home.store).records
    house.alter(gap)
    house.gate.refresh()
    house.alter("UPDATE records SET tid = ?, envelope = ?", row.tid, row.envelope)
    assert reason(lambda: house.gate.recheck(caller)) == "rights_changed"
    house.gate.recheck(house.gate.admit(token))


async def test_without_a_key_set_nobody_is_verified(house: House) -> None:
    """Known tokens rest until there is one again; the log says why."""
    token, caller = house.admit()
    (row,) = house.home.store.all("SELECT ver, envelope FROM key_sets")
    house.alter("DELETE FROM key_sets")
    assert reason(lambda: house.gate.recheck(caller)) == "lease_expired"
    house.alter("INSERT INTO key_sets VALUES (?, ?)", row["ver"], row["envelope"])
    house.gate.recheck(caller)
    house.gate.admit(token)


async def test_a_store_that_cannot_be_read_is_borne_for_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was known holds for five seconds, then nobody is let in; it heals by itself."""
    from gateway.storage.store import StoreError

    token, caller = house.admit()
    fails = True

    def data_version() -> tuple[int, int]:
        if fails:
            raise StoreError("the disk reports errors")
        return (-1, -1)

    monkeypatch.setattr(house.home.store, "data_version", data_version)
    house.gate.recheck(caller)
    house.monotonic += BLIND_S
    house.gate.recheck(caller)
    house.monotonic += 0.1
    assert reason(lambda: house.gate.recheck(caller)) == "lease_expired"
    assert reason(lambda: house.gate.admit(token)) == "lease_expired"
    assert caplog.text.count("the disk reports errors") == 1
    fails = False
    house.gate.recheck(caller)
    house.gate.admit(token)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be exchanged there")
async def test_an_exchanged_database_locks_everybody_out(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """From the file that we read no revocation would ever reach us; the log says: restart."""
    monkeypatch.setattr(module, "POLL_S", 0.001)
    _, caller = house.admit()
    copy = house.folder / "copy"
    shutil.copy(house.folder / DATABASE, copy)
    copy.replace(house.folder / DATABASE)
    told = asyncio.Event()
    house.gate.on_change(lambda tid, why: told.set())
    watching = asyncio.create_task(house.gate.watch())
    await asyncio.wait_for(told.wait(), 60)
    assert reason(lambda: house.gate.recheck(caller)) == "lease_expired"
    await asyncio.sleep(0.01)
    assert caplog.text.count("restart") == 1
    watching.cancel()
