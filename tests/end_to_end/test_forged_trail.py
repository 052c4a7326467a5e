"""A history that was written anew, hashes and all, by one who owns the files but not the key."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commands import run
from forging import Change, forge, forget_copy, lie, lie_unsigned, verdict
from product import daemon

from gateway.audit import MISMATCH, SIGNED, Audit
from gateway.audit.checkpoint import FILE
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store
from gateway.storage.ledger import DATABASE as LEDGER
from gateway.storage.store import StoreError


async def live(home: Path, rows: int = 5) -> None:
    """Run a gateway that writes some rows."""
    async with daemon(home) as house:
        audit = Audit(house.gateway.ledger)
        for number in range(rows):
            audit.record("order", object=f"order {number}")
        await audit.written()


@pytest.mark.parametrize("change", [lie, lie_unsigned])
@pytest.mark.parametrize("copy_goes", [False, True])
async def test_a_forged_history_is_found_without_its_checkpoint(
    tmp_path: Path, change: Change, copy_goes: bool
) -> None:
    """By the signatures within, by the copy, or by the fact that there is none; and it stays found
    after the next run, which signs on.
    """
    await live(tmp_path)
    assert verdict(tmp_path) == (True, [])
    forge(tmp_path, change)
    (tmp_path / FILE).unlink()
    if copy_goes:
        forget_copy(tmp_path)
    is_intact, faults = verdict(tmp_path)
    assert not is_intact
    assert any("audit.checkpoint is gone" in one for one in faults)
    assert any("others than those it has signed" in one for one in faults) == (change is lie)
    assert any("another hash" in one or "the checkpoint knows" in one for one in faults) == (
        not copy_goes
    )
    for _ in range(2):
        await live(tmp_path)
        is_intact, faults = verdict(tmp_path)
        assert not is_intact
        assert any("a gateway found the trail cut or replaced" in one for one in faults)
    with closing(open_ledger_store(tmp_path)) as store:
        noted = store.all("SELECT entry FROM audit WHERE instr(entry, ?)", MISMATCH)
    assert len(noted) == 1


async def test_a_forged_history_is_found_with_its_checkpoint(tmp_path: Path) -> None:
    await live(tmp_path)
    forge(tmp_path, lie)
    is_intact, faults = verdict(tmp_path)
    assert not is_intact
    assert any("another hash than its checkpoint" in one for one in faults)


async def test_a_signature_of_another_key_counts_for_nothing(tmp_path: Path) -> None:
    """Who has no key of this home takes one of his own."""
    await live(tmp_path / "mine")
    await live(tmp_path / "other")
    with closing(open_ledger_store(tmp_path / "other")) as store:
        (row,) = store.all("SELECT entry FROM audit WHERE instr(entry, ?)", SIGNED)
    theirs = json.loads(row["entry"])

    def swap(n: int, entry: dict[str, Any]) -> dict[str, Any]:
        return theirs if entry["event"] == SIGNED else lie(n, entry)

    forge(tmp_path / "mine", swap)
    _, faults = verdict(tmp_path / "mine")
    assert any("was signed by another machine" in one for one in faults)


async def test_a_checkpoint_that_is_gone_is_a_finding(tmp_path: Path) -> None:
    """Of a trail that is as it was written, too: nobody else takes it away. A home in which no
    gateway has run yet has none.
    """
    Home(tmp_path).close()
    done = run("token", "create", "--name", "main", "--home", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert verdict(tmp_path) == (True, [])
    await live(tmp_path)
    assert verdict(tmp_path) == (True, [])
    (tmp_path / FILE).unlink()
    _, (fault,) = verdict(tmp_path)
    assert "audit.checkpoint is gone: rows up to" in fault


async def test_nothing_is_signed_before_the_finding_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it cannot be written the run signs nothing."""
    await live(tmp_path)
    forge(tmp_path, lie)
    (tmp_path / FILE).unlink()

    async def fail(_: Audit) -> None:
        raise StoreError("the disk reports errors")

    monkeypatch.setattr(Audit, "written", fail)
    await live_shortly(tmp_path)
    assert "is not signed in this run" in caplog.text
    assert not (tmp_path / FILE).exists()


async def live_shortly(home: Path) -> None:
    async with daemon(home):
        pass


def test_a_trail_without_its_table_is_told_in_one_line(tmp_path: Path) -> None:
    """Neither a traceback of the command nor one of the gateway."""
    open_ledger_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / LEDGER)) as db:
        db.execute("DROP TABLE audit")
    config = tmp_path / "config.toml"
    config.write_text('[secrets]\nstore = "file"\n[api]\nport = 0\n[bridge]\nport = 0\n')
    for words in (("audit", "verify"), ("audit", "export"), ("audit", "archive", "90d")):
        done = run(*words, "--home", str(tmp_path))
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        assert "a table of it is gone; restore it from a backup" in line
    done = run("serve", "--home", str(tmp_path), "--config", str(config))
    assert done.returncode == 1
    assert "a table of it is gone" in done.stderr
    assert "Traceback" not in done.stderr
