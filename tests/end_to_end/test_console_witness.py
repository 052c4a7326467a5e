"""A console that was told how far the audit trail of a machine goes."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run
from console_site import QUICK, Site, linked, site
from forging import forge, forget_copy, lie_unsigned, verdict
from product import until
from sqlalchemy import update

from gateway.audit import MISMATCH, Audit, head_of, note
from gateway.audit import service as audit_service
from gateway.audit.checkpoint import FILE, copy_checkpoint, write_checkpoint
from gateway.console.database.model import DeviceTrail
from gateway.credentials.daemon_api import TrailTold, Witness
from gateway.credentials.device import open_head
from gateway.credentials.keyset import public_key
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store

PACE = replace(QUICK, witness_s=0.05)


@pytest.fixture(autouse=True)
def sign_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_service, "LOOK_S", 0.05)
    monkeypatch.setattr(audit_service, "CHECKPOINT_S", 0.05)


async def told(one: Site, home: Path) -> tuple[int, TrailTold]:
    """Return the row that the console knows, and all that it has."""
    with Home(home) as opened:
        device = opened.device
    found = await one.console.trails.of(device.did)
    n = open_head(found.newest, public_key(device.public)).n if found.newest else 0
    return n, found


async def live(one: Site, home: Path, *, first: bool = False) -> None:
    """Run a gateway until the console knows all that it has written by then."""
    async with linked(home, one.url, root=one.root, pace=PACE) as daemon:
        if first:
            await daemon.terminal(await one.person())
        await until(lambda: daemon.uplink.status().connected)
        audit = Audit(daemon.gateway.ledger)
        for number in range(5):
            audit.record("order", object=f"order {number}")
        await audit.written()
        head = head_of(daemon.gateway.ledger.reader)
        for _ in range(200):
            if (await told(one, home))[0] >= head.n:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the console was not told")


def forge_with_the_key(home: Path) -> None:
    """Write the history anew and sign it, as one who owns files and key."""
    forge(home, lie_unsigned)
    forget_copy(home)
    (home / FILE).unlink()
    with closing(open_ledger_store(home)) as store, Home(home) as opened:
        copy_checkpoint(opened.store, write_checkpoint(home, opened.device, head_of(store), 1))


async def test_a_console_finds_what_was_forged_with_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By itself the trail is as it was signed. The next run notes it, tells no more, and what the
    console has stays.
    """
    home, config = tmp_path / "home", tmp_path / "config.toml"
    async with site(tmp_path / "console") as one:
        config.write_text(f'[console]\nurl = "{one.url}"\nroot = "{one.root}"\n')
        await live(one, home, first=True)
        for _ in range(2):
            await live(one, home)
        kept = await told(one, home)
        options = ("--config", str(config))
        assert await asyncio.to_thread(verdict, home, *options) == (True, [])
        shown = await asyncio.to_thread(run, "audit", "verify", "--home", str(home), *options)
        assert f"was told of rows up to {kept[0]}" in shown.stdout

        forge_with_the_key(home)
        is_intact, faults = await asyncio.to_thread(verdict, home, *options)
        assert not is_intact
        (fault,) = faults
        assert f"the console knows row {kept[0]}, which is not there" in fault

        async with linked(home, one.url, root=one.root, pace=PACE):
            await until(lambda: "the console knows" in caplog.text)
        assert await told(one, home) == kept
        with closing(open_ledger_store(home)) as store:
            (noted,) = store.all("SELECT entry FROM audit WHERE instr(entry, ?)", MISMATCH)
        assert "the console knows" in json.loads(noted["entry"])["faults"][0]


async def test_a_console_that_cannot_be_asked_is_no_finding(tmp_path: Path) -> None:
    home, config = tmp_path / "home", tmp_path / "config.toml"
    async with site(tmp_path / "console") as one:
        config.write_text(f'[console]\nurl = "{one.url}"\nroot = "{one.root}"\n')
        await live(one, home, first=True)
    done = await asyncio.to_thread(
        run, "audit", "verify", "--home", str(home), "--config", str(config)
    )
    assert done.returncode == 0, done.stdout
    assert "the console was not asked" in done.stdout


async def test_a_forger_who_tells_the_console_is_found_by_what_it_kept_of_earlier_days(
    tmp_path: Path,
) -> None:
    """He signs what the console has, and another history behind it, and so it has the newest from
    him; but not what was the newest the day before."""
    home, config = tmp_path / "home", tmp_path / "config.toml"
    async with site(tmp_path / "console") as one:
        config.write_text(f'[console]\nurl = "{one.url}"\nroot = "{one.root}"\n')
        await live(one, home, first=True)
        known, kept = await told(one, home)
        async with one.console.db.begin() as session:
            await session.execute(update(DeviceTrail).values(newest_at=0))  # days ago

        forge_with_the_key(home)
        with closing(open_ledger_store(home)) as store, Home(home) as opened:
            with store.transaction() as db:
                for _ in range(known):
                    note(db, "order", actor="cli")
            head = head_of(store)
            copy_checkpoint(opened.store, write_checkpoint(home, opened.device, head, 1))
            did, forged = opened.device.did, opened.device.sign_checkpoint(head.n, head.hash, 1)
        lie = Witness(newest=forged, before=kept.newest)
        assert (await one.console.trails.witness(did, lie)).newest == forged
        is_intact, faults = await asyncio.to_thread(verdict, home, "--config", str(config))
    assert not is_intact
    assert faults == [f"row {known} has another hash than the console knows"]
