"""``audit verify``: whose signatures the trail carries, and what of it reaches the screen."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from shell import Done

from gateway.audit import head_of, note
from gateway.audit.checkpoint import copy_checkpoint, sign_within, write_checkpoint
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store
from gateway.storage.ledger import DATABASE as LEDGER
from gateway.storage.store import DATABASE

Run = Callable[..., Done]


def signed_by(signer: Path, home: Path) -> None:
    """Sign the trail of a home with the key of another, in all the places where it stands."""
    with Home(signer) as other, Home(home) as opened, closing(open_ledger_store(home)) as ledger:
        now_ms = time.time_ns() // 1_000_000
        with ledger.transaction() as db:
            sign_within(db, other.device, now_ms)
        copy_checkpoint(
            opened.store, write_checkpoint(home, other.device, head_of(ledger), now_ms)
        )


@pytest.fixture(name="home")
def make_home(tmp_path: Path) -> Path:
    """A home with a trail."""
    home = tmp_path / "home"
    Home(home).close()
    with closing(open_ledger_store(home)) as store, store.transaction() as db:
        note(db, "order", actor="cli")
    return home


@pytest.mark.parametrize("keeps", ["private_key", "nothing"])
def test_an_exchanged_device_is_found(run: Run, home: Path, tmp_path: Path, keeps: str) -> None:
    """The device's id lies open in the database: who puts his own there could sign a history of
    his, and it would look as if it were the machine's."""
    forger = tmp_path / "forger"
    Home(forger).close()
    signed_by(forger, home)
    with (
        closing(sqlite3.connect(forger / DATABASE)) as theirs,
        closing(sqlite3.connect(home / DATABASE)) as ours,
        ours,
    ):
        did, private = theirs.execute("SELECT did, private_key FROM device").fetchone()
        ours.execute("UPDATE device SET did = ?", (did,))
        if keeps == "nothing":
            ours.execute("UPDATE device SET private_key = ?", (private,))
    done = run("audit", "verify", "--home", str(home))
    assert done.code == 1
    assert "altered or exchanged" in done.out


def test_a_key_that_is_not_at_hand_is_told(run: Run, home: Path) -> None:
    """An auditor may have the databases alone: then nobody has looked whose signatures they are,
    and nothing is made in the key's place."""
    signed_by(home, home)
    assert "was not looked at" not in run("audit", "verify", "--home", str(home)).out
    key = home / "secrets.key"
    key.unlink()
    done = run("audit", "verify", "--home", str(home))
    assert done.code == 0
    assert "whose signatures these are was not looked at" in done.out
    assert not key.exists()
    assert json.loads(run("audit", "verify", "--json", "--home", str(home)).out)["key_not_tried"]


def test_what_somebody_wrote_into_the_trail_does_not_steer_the_screen(
    run: Run, home: Path
) -> None:
    with closing(sqlite3.connect(home / LEDGER)) as db, db:
        db.execute('CREATE TRIGGER "\x1b[2Jintact" AFTER INSERT ON audit BEGIN SELECT 1; END')
    done = run("audit", "verify", "--home", str(home))
    assert done.code == 1
    assert "\x1b" not in done.out
    assert "\\x1b[2Jintact was added" in done.out
