"""A home is its owner's alone, and nobody leads its files elsewhere."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.doctor.folder import config
from gateway.cli.halt import halt
from gateway.cli.output import CliError
from gateway.config import ConfigError, load_for
from gateway.console.database.engine import FILE, DatabaseError, home_url, open_database
from gateway.home.home import LOCK_FILE, Home
from gateway.home.ledger import open_ledger_store
from gateway.storage.database_file import UnsafePlace, check_file
from gateway.storage.ledger import DATABASE as LEDGER
from gateway.storage.store import DATABASE, Store, StoreError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX owners and links")
NOBODY = 65534
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o777, 0o1777])
def test_a_home_of_another_user_is_refused(tmp_path: Path, mode: int) -> None:
    """Also an empty one: its mode is not changed, nothing is written."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)
    os.chown(home, NOBODY, NOBODY)
    with pytest.raises(StoreError, match=r"belongs to another user \(uid 65534\); run"):
        Home(home)
    with pytest.raises(DatabaseError, match="belongs to another user"):
        home_url(home)
    assert list(home.iterdir()) == []
    assert stat.S_IMODE(home.stat().st_mode) == mode


@as_root
def test_a_database_of_another_user_is_refused(tmp_path: Path) -> None:
    """He could read, and write, all that comes into it."""
    Store(tmp_path, ["CREATE TABLE rows (n)"]).close()
    os.chown(tmp_path / DATABASE, NOBODY, NOBODY)
    with pytest.raises(StoreError, match="give it to the user who runs mt-gateway"):
        Store(tmp_path, ["CREATE TABLE rows (n)"])


@as_root
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_configuration_that_a_stranger_put_there_is_refused(tmp_path: Path, kind: str) -> None:
    """In a home to which everybody may write it could name a console, and so make tokens."""
    home, file, other = tmp_path / "home", tmp_path / "home" / "config.toml", tmp_path / "other"
    home.mkdir()
    home.chmod(0o1777)
    other.write_text("[api]\nport = 1\n")
    if kind == "file":
        file.write_text(other.read_text())
    else:
        file.symlink_to(other)
    os.chown(file, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(ConfigError, match=r"another user \(uid 65534\), and everybody may write"):
        load_for(home, None)
    assert "everybody may write" in config(home, None)[0].found
    assert load_for(home, other).api.port == 1
    home.chmod(0o755)
    assert load_for(home, None).api.port == 1


@pytest.mark.parametrize("name", [DATABASE, LEDGER, LOCK_FILE])
@pytest.mark.parametrize("dangling", [True, False])
def test_no_link_is_followed(tmp_path: Path, name: str, dangling: bool) -> None:
    """Neither to a file that is there nor to one that would be made."""
    home, target = tmp_path / "home", tmp_path / "target"
    home.mkdir(mode=0o700)
    if not dangling:
        target.write_bytes(b"")
        target.chmod(0o644)
    (home / name).symlink_to(target)
    with pytest.raises(StoreError, match="symbolic link, which is not followed"):
        open_ledger_store(home) if name == LEDGER else Home(home)
    if dangling:
        assert not target.exists()
    else:
        assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"", 0o644)


def test_halt_follows_no_link(tmp_path: Path) -> None:
    Home(tmp_path / "home").close()
    open_ledger_store(tmp_path / "other").close()
    before = (tmp_path / "other" / LEDGER).read_bytes()
    (tmp_path / "home" / LEDGER).symlink_to(tmp_path / "other" / LEDGER)
    with pytest.raises(CliError, match="symbolic link"):
        halt(home=tmp_path / "home")
    assert (tmp_path / "other" / LEDGER).read_bytes() == before


@pytest.mark.parametrize("kind", ["-wal", "-shm"])
def test_sqlite_follows_no_link_of_its_own_files(tmp_path: Path, kind: str) -> None:
    """It opens them with O_NOFOLLOW."""
    Store(tmp_path, ["CREATE TABLE rows (n)"]).close()
    target = tmp_path / "target"
    target.write_bytes(b"")
    (tmp_path / f"{DATABASE}{kind}").symlink_to(target)
    with pytest.raises((StoreError, sqlite3.Error)):
        Store(tmp_path, ["CREATE TABLE rows (n)"])
    assert target.read_bytes() == b""


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafePlace, match="is no file"):
        check_file(tmp_path)
    check_file(tmp_path / "not there")


async def test_the_consoles_home_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "target")
    with pytest.raises(DatabaseError, match="symbolic link"):
        home_url(tmp_path)
    assert not (tmp_path / "target").exists()


async def test_a_console_database_behind_a_link_is_private(tmp_path: Path) -> None:
    """Its owner named it by a URL; where nothing is there yet it is made for him alone."""
    (tmp_path / "link.db").symlink_to(tmp_path / "target.db")
    before = os.umask(0o022)
    try:
        async with open_database(f"sqlite:///{tmp_path / 'link.db'}"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "target.db").stat().st_mode) == 0o600
    with closing(sqlite3.connect(tmp_path / "target.db")) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
