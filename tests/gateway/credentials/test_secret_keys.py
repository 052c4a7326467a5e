"""The rules of the exchange of a key."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ea_bridge.token import derive_keys
from gateway.config import Secrets, StoreName
from gateway.credentials.issuer import published, server_key_place
from gateway.credentials.key_store.file import CREDENTIAL, KeyFile
from gateway.credentials.key_store.passphrase import PASSPHRASE_FILE, Passphrase
from gateway.credentials.secret_keys import noted_keys
from gateway.credentials.secrets import KnownKey, SecretsError, encode_key
from gateway.home.home import KEY_FILE, SEALED, Home
from gateway.home.home_key import HomeKey, NoSecrets
from gateway.storage.store import DATABASE

FILE = Secrets(store="file")
TOKENS = ("a", "b", "c")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home with tokens."""
    return make(tmp_path / "home")


def make(folder: Path) -> Path:
    with Home(folder) as home:
        for name in TOKENS:
            home.issuer.create(name)
    return folder


def rotate(folder: Path, to: str | None = None, settings: Secrets = FILE) -> str:
    with HomeKey(folder, settings, alone=True) as key:
        done = key.exchange(key.open(), to)
        assert done.rows == sum(key.sealed().values()) >= len(TOKENS) + 2
    assert done.left == ()
    return done.kid


def kids(folder: Path) -> set[str]:
    """The ids of the keys that the rows name."""
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        rows = [
            text
            for one in SEALED
            for (text,) in db.execute(f"SELECT {one.column} FROM {one.table}")  # noqa: S608 (ours)
        ]
    return {text.split(".")[1] for text in rows}


def see_all_open(folder: Path, settings: Secrets = FILE) -> None:
    """Every secret opens, and the tokens are what they were."""
    with Home(folder, settings) as home:
        assert [one.label for one in home.issuer.list()] == list(TOKENS)
        rows = published(home.store).records
        for row in rows:
            assert row.server_key is not None
            assert len(home.box.open(row.server_key, server_key_place(row.tid))) == 32
        book = home.book()
        book.refresh(int(time.time()))
        assert len(book.entries()) == len(TOKENS)


def only_key(folder: Path) -> bytes:
    """The one key in the file."""
    (line,) = (folder / KEY_FILE).read_text().splitlines()
    with Home(folder) as home:
        assert encode_key(home.box.kek) == line.split()[0]
        return home.box.kek


# --- the exchange --------------------------------------------------------------------------


def test_everything_is_sealed_anew_and_the_old_key_is_gone(folder: Path) -> None:
    """From the rows, from the file, and from what is noted; and so again the next time."""
    before = only_key(folder)
    for kid in ("k2", "k3"):
        assert rotate(folder) == kid
        assert kids(folder) == {kid}
        see_all_open(folder)
        after = only_key(folder)
        assert after != before
        before = after
        with Home(folder) as home:
            assert [(one.known.kid, one.state) for one in noted_keys(home.store)] == [
                (kid, "current")
            ]


def test_tokens_go_on(folder: Path) -> None:
    """Old ones open what they did, new ones can be made, and all can be revoked."""
    with Home(folder) as home:
        token, record = home.issuer.create("d")
        home.issuer.revoke("c")
    with HomeKey(folder, FILE, alone=True) as key:
        key.exchange(key.open())
    with Home(folder) as home:
        (row,) = [one for one in published(home.store).records if one.tid == record.tid]
        assert row.server_key is not None
        sealed = home.box.open(row.server_key, server_key_place(row.tid))
        assert sealed == derive_keys(token).server_key
        home.issuer.create("e")
        home.issuer.revoke(token)
        assert [one.status for one in home.issuer.list()] == [
            *("active", "active", "revoked", "revoked", "active")
        ]


_KILLED = """
import os, sys
from pathlib import Path
from gateway.home.home_key import HomeKey
from gateway.config import Secrets
from gateway.credentials import secret_keys
from gateway.credentials.key_store.file import KeyFile

point = sys.argv[2]
def die(*_): os._exit(9)
if point == "before making": KeyFile.make = die
if point == "after making": secret_keys._reseal = die
if point == "before the commit": secret_keys._promote = die
if point == "before deleting": KeyFile.forget = die
if point == "after deleting":
    forget = KeyFile.forget
    KeyFile.forget = lambda *about: (forget(*about), die())
rows = iter(range(100))
def at_row():
    if point == f"row {next(rows)}": die()
with HomeKey(Path(sys.argv[1]), Secrets(store="file"), alone=True) as key:
    key.exchange(key.open(), at_row=at_row)
"""
_BEFORE = ["before making", "after making", "before the commit"]
_AFTER = ["before deleting", "after deleting"]


def killed(folder: Path, point: str) -> bool:
    done = subprocess.run((sys.executable, "-c", _KILLED, str(folder), point), check=False)
    assert done.returncode in (0, 9)
    return done.returncode == 9


@pytest.mark.parametrize("point", [*_BEFORE, *_AFTER])
def test_who_is_killed_loses_nothing(folder: Path, point: str) -> None:
    """At whatever point: everything opens with one key, and the next exchange leaves neither key
    nor note of the one that was killed."""
    assert killed(folder, point)
    assert kids(folder) == {"k1" if point in _BEFORE else "k2"}
    see_all_open(folder)
    rotate(folder)
    assert len(kids(folder)) == 1
    see_all_open(folder)
    only_key(folder)


def test_who_is_killed_at_any_row_loses_nothing(folder: Path) -> None:
    """One after the other, until there is no row left at which to be killed."""
    with HomeKey(folder, FILE) as key:
        rows = sum(key.sealed().values())
    for row in range(rows):
        assert killed(folder, f"row {row}")
        assert kids(folder) == {"k1"}
        see_all_open(folder)
    assert not killed(folder, f"row {rows}")
    assert len(kids(folder)) == 1
    see_all_open(folder)
    only_key(folder)


def test_a_row_that_does_not_open_stops_the_exchange(folder: Path) -> None:
    """It was altered; everything else is as it was, and no new key is left behind."""
    kek = only_key(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        (tid, text) = db.execute("SELECT tid, server_key FROM records").fetchone()
        altered = text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:]
        db.execute("UPDATE records SET server_key = ? WHERE tid = ?", (altered, tid))
    with HomeKey(folder, FILE, alone=True) as key, pytest.raises(SecretsError, match="records"):
        key.exchange(key.open())
    assert kids(folder) == {"k1"}
    assert only_key(folder) == kek


def test_secrets_that_nobody_listed_stop_the_exchange(folder: Path) -> None:
    """A table of a newer version, say: they would be lost with the old key."""
    with Home(folder) as home, home.store.transaction() as db:
        db.execute("CREATE TABLE newer (id TEXT PRIMARY KEY, note TEXT) STRICT")
        db.execute("INSERT INTO newer VALUES ('x', 'mgs1.k1.A.B')")
    kek = only_key(folder)
    with (
        HomeKey(folder, FILE, alone=True) as key,
        pytest.raises(SecretsError, match=r"newer\.note"),
    ):
        key.exchange(key.open())
    assert kids(folder) == {"k1"}
    assert only_key(folder) == kek


def test_a_wrong_key_exchanges_nothing(folder: Path) -> None:
    """A new key is never made over secrets that do not open."""
    text = encode_key(bytes(32))
    (folder / KEY_FILE).write_text(text)
    before = (folder / DATABASE).read_bytes()
    with HomeKey(folder, FILE, alone=True) as key, pytest.raises(SecretsError, match="is not the"):
        key.exchange(key.open())
    assert (folder / DATABASE).read_bytes() == before
    assert (folder / KEY_FILE).read_text() == text


def test_a_home_without_secrets_has_no_key(tmp_path: Path) -> None:
    """Nothing is made to find out."""
    with pytest.raises(NoSecrets):
        HomeKey(tmp_path / "home", FILE)
    assert list(tmp_path.iterdir()) == []


# --- backups -------------------------------------------------------------------------------


def test_a_backup_opens_with_the_key_of_its_time(folder: Path, tmp_path: Path) -> None:
    """Database and key together; the old database with the new key is refused, and kept."""
    shutil.copytree(folder, tmp_path / "backup")
    rotate(folder)
    see_all_open(tmp_path / "backup")
    shutil.copy(folder / KEY_FILE, tmp_path / "new.key")
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup" / DATABASE, folder / DATABASE)
    before = (folder / DATABASE).read_bytes()
    with pytest.raises(SecretsError, match=r"is not the key .*restore the file from a backup"):
        Home(folder)
    assert (folder / DATABASE).read_bytes() == before
    shutil.copy(tmp_path / "backup" / KEY_FILE, folder / KEY_FILE)
    see_all_open(folder)
    rotate(folder)
    see_all_open(folder)


# --- other processes -----------------------------------------------------------------------

_RACER = """
import sys, time
from pathlib import Path
from gateway.home.home_key import HomeKey
from gateway.config import Secrets
from gateway.storage.store import StoreError
folder = Path(sys.argv[1])
sys.stdin.read(1)
try:
    with HomeKey(folder, Secrets(store="file"), alone=True) as key:
        key.exchange(key.open(), at_row=lambda: time.sleep(0.02))
except StoreError as error:
    print(error)
"""


@pytest.fixture
def racers(folder: Path) -> Iterator[list[subprocess.Popen[str]]]:
    command = (sys.executable, "-c", _RACER, str(folder))
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    yield started
    for one in started:
        one.kill()
        one.communicate()


def test_two_at_once_leave_one_key(folder: Path, racers: list[subprocess.Popen[str]]) -> None:
    """Who comes second waits for nobody, and says so; or comes later, and exchanges once more."""
    for one in racers:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    told = [one.communicate(timeout=60)[0] for one in racers]
    assert [one.returncode for one in racers] == [0, 0, 0]
    refused = [text for text in told if text]
    assert all("another command of mt-gateway works in" in text for text in refused)
    assert kids(folder) == {f"k{1 + len(racers) - len(refused)}"}
    see_all_open(folder)
    only_key(folder)


def test_two_databases_do_not_share_a_key_of_one_file(folder: Path, tmp_path: Path) -> None:
    """To exchange the one's leaves the other's in its place."""
    file = folder / KEY_FILE
    with Home(tmp_path / "other", file) as other:
        other.issuer.create("x")
        kek = other.box.kek
    rotate(folder)
    see_all_open(folder)
    with Home(tmp_path / "other", file) as other:
        assert other.box.kek == kek
        assert len(other.issuer.list()) == 1
    assert len(file.read_text().splitlines()) == 2


def test_a_key_that_a_person_put_there_is_exchanged_as_well(tmp_path: Path) -> None:
    """It has no salt beside it."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    (folder / KEY_FILE).write_text(encode_key(bytes(range(32))) + "\n")
    (folder / KEY_FILE).chmod(0o600)
    make(folder)
    assert only_key(folder) == bytes(range(32))
    rotate(folder)
    see_all_open(folder)
    assert only_key(folder) != bytes(range(32))


# --- from store to store -------------------------------------------------------------------


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple")
    file.chmod(0o600)
    monkeypatch.setenv(PASSPHRASE_FILE, str(file))
    cheap = partial(Passphrase, memory_kib=64)
    monkeypatch.setattr("gateway.credentials.key_store.passphrase.Passphrase", cheap)


@pytest.fixture
def credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    file = credentials / CREDENTIAL
    file.write_text(encode_key(bytes(range(32))))
    file.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    return file


@pytest.mark.usefixtures("passphrase", "credential")
def test_a_home_moves_from_store_to_store(folder: Path) -> None:
    """It opens with the new one, though the settings say nothing, and with no other."""
    nothing = Secrets()
    for to in ("passphrase", "systemd", "file", "systemd", "passphrase", "file"):
        rotate(folder, to, nothing)
        see_all_open(folder, nothing)
        assert (folder / KEY_FILE).exists() == (to == "file")
        other: StoreName = "systemd" if to == "passphrase" else "passphrase"
        with pytest.raises(SecretsError, match=f'it was made with store = "{to}"'):
            Home(folder, Secrets(store=other))


def test_a_credential_that_is_the_old_key_is_no_new_one(folder: Path, credential: Path) -> None:
    """Whoever carried the key file there as it was has to make a new one."""
    credential.unlink()
    credential.write_text(encode_key(only_key(folder)))
    credential.chmod(0o400)
    with (
        HomeKey(folder, FILE, alone=True) as key,
        pytest.raises(SecretsError, match=r"docs/security\.md"),
    ):
        key.exchange(key.open(), "systemd")
    assert kids(folder) == {"k1"}
    see_all_open(folder)


def test_an_unusable_store_leaves_the_home_where_it_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word of it in the database."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with HomeKey(folder, FILE, alone=True) as key, pytest.raises(SecretsError, match="missing"):
        key.exchange(key.open(), "systemd")
    see_all_open(folder)
    with Home(folder) as home:
        assert [one.state for one in noted_keys(home.store)] == ["current"]


def test_a_key_that_cannot_be_deleted_stays_noted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange is done all the same; the next one deletes both."""

    def refuse(self: KeyFile, known: KnownKey) -> None:
        raise SecretsError("read-only")

    with monkeypatch.context() as patch, HomeKey(folder, FILE, alone=True) as key:
        patch.setattr(KeyFile, "forget", refuse)
        assert key.exchange(key.open()).left == ("k1: read-only",)
        assert [one.known.kid for one in key.leftovers()] == ["k1"]
    assert kids(folder) == {"k2"}
    see_all_open(folder)
    assert rotate(folder) == "k3"
    only_key(folder)
