"""What was revoked stays so as long as one of the two databases knows."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gateway.auth.gate import Gate
from gateway.auth.version_watermarks import Tombstones
from gateway.credentials.record import TradeLimits
from gateway.errors import Unauthorized
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store
from gateway.storage.ledger import DATABASE as LEDGER
from gateway.storage.store import DATABASE


def copy(home: Path, to: Path) -> None:
    """Make a backup, as people do whose gateway does not run."""
    for name in (DATABASE, LEDGER):
        with closing(sqlite3.connect(home / name)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    to.mkdir()
    for name in (DATABASE, LEDGER):
        shutil.copy2(home / name, to / name)


def restore(backup: Path, home: Path, *names: str) -> None:
    for name in names:
        for kind in ("-wal", "-shm"):
            (home / f"{name}{kind}").unlink(missing_ok=True)
        (home / name).unlink()
        shutil.copy2(backup / name, home / name)


def refusal(home: Path, token: str) -> str:
    """Why a gateway that starts in the home does not let a token in; empty: it does."""
    with Home(home) as opened:
        try:
            Gate(opened.book(), opened.device.did).admit(token)
        except Unauthorized as refused:
            return str(refused.data["reason"])
    return ""


def states(home: Path) -> list[str]:
    with Home(home) as opened:
        return [one.status for one in opened.issuer.list()]


@pytest.fixture(name="home")
def make_home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    open_ledger_store(home).close()
    return home


@pytest.fixture(name="token")
def make_token(home: Path) -> str:
    with Home(home) as opened:
        return opened.issuer.create("main")[0]


@pytest.mark.parametrize("restored", [DATABASE, LEDGER])
def test_one_old_file_brings_no_token_back(
    tmp_path: Path, home: Path, token: str, restored: str
) -> None:
    """Not even where no gateway has run since; and the list of tokens says so."""
    copy(home, tmp_path / "backup")
    with Home(home) as opened:
        opened.issuer.revoke("main")
    restore(tmp_path / "backup", home, restored)
    assert refusal(home, token) == "revoked"
    assert states(home) == ["revoked"]
    # the one that knew has told the other: that one alone is enough now
    other = LEDGER if restored == DATABASE else DATABASE
    restore(tmp_path / "backup", home, other)
    assert refusal(home, token) == "revoked"


def test_a_restored_home_is_as_it_was(tmp_path: Path, home: Path, token: str) -> None:
    """Both files are old: nobody can know."""
    copy(home, tmp_path / "backup")
    with Home(home) as opened:
        opened.issuer.revoke("main")
    restore(tmp_path / "backup", home, DATABASE, LEDGER)
    assert refusal(home, token) == ""


def test_a_replaced_token_stays_replaced(tmp_path: Path, home: Path, token: str) -> None:
    """It ends as was said, whatever an older database says of it."""
    copy(home, tmp_path / "backup")
    with Home(home) as opened:
        opened.issuer.replace("main", overlap_s=60)
    restore(tmp_path / "backup", home, DATABASE)
    assert refusal(home, token) == "revoked"


def test_limits_do_not_get_looser(tmp_path: Path, home: Path, token: str) -> None:
    """The token does nothing until somebody says anew what it may."""
    copy(home, tmp_path / "backup")
    with Home(home) as opened:
        opened.issuer.change_limits("main", {"max_lot": "0.1"})
    restore(tmp_path / "backup", home, DATABASE)
    assert refusal(home, token) == "revoked"
    with Home(home) as opened:
        opened.issuer.change_limits("main", {"max_lot": "0.2"})
    assert refusal(home, token) == ""


def test_what_was_revoked_before_is_told_to_the_ledger(home: Path, token: str) -> None:
    """A home of an older version, whose ledger has no such table."""
    with Home(home) as opened:
        opened.issuer.revoke("main")
    with closing(sqlite3.connect(home / LEDGER)) as db:
        db.execute("DROP TABLE tombstones")
    with Home(home) as opened:
        Gate(opened.book(), opened.device.did)
    kinds = {(kind, revoked) for kind, _, _, revoked in Tombstones(home).read()}
    assert ("rec", True) in kinds


def test_a_revocation_needs_no_ledger(
    home: Path, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It holds by the first database alone; the log says that the second lacks it, and who opens
    the home next writes it there.
    """
    with closing(sqlite3.connect(home / LEDGER, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with Home(home) as opened:
            opened.issuer.revoke("main")
        assert "is not written there yet" in caplog.text
        db.execute("ROLLBACK")
    assert refusal(home, token) == "revoked"
    assert [row[0] for row in Tombstones(home).read() if row[3]] == ["rec"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_a_ledger_that_it_makes_is_private_and_fit_for_all(tmp_path: Path) -> None:
    """A token may be revoked before a gateway has ever run."""
    with Home(tmp_path) as opened:
        opened.issuer.create("main", limits=TradeLimits())
        opened.issuer.revoke("main")
    assert stat.S_IMODE((tmp_path / LEDGER).stat().st_mode) == 0o600
    with closing(open_ledger_store(tmp_path)) as store:
        assert store.one("SELECT count(*) FROM orders") is not None
    assert len(Tombstones(tmp_path).read()) == 1
