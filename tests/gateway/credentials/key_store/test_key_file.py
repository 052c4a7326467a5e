"""The rules of the key in a file, and those of every store: lost and wrong keys."""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gateway.credentials.key_store.file import KeyFile
from gateway.credentials.secrets import (
    KnownKey,
    SecretBox,
    SecretsError,
    encode_key,
    known_box,
)
from gateway.home.home import KEY_FILE, MIGRATIONS, Home
from gateway.storage.store import Store

SALT = bytes(16)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "secrets.key")


def known(key: bytes, store: str = "file") -> KnownKey:
    return KnownKey(SecretBox(key).check_value(), store, SALT)


def test_a_new_key_file_is_private_and_is_found_again(keys: KeyFile) -> None:
    """0600, 43 characters and the salt, no leftovers."""
    assert keys.find(SALT, new=True) is None
    key = keys.make(SALT)
    assert keys.find(SALT, new=False) == key
    assert known_box(keys, known(key)) == SecretBox(key)
    assert keys.path.read_text() == f"{encode_key(key)} {SALT.hex()}\n"
    if os.name == "posix":  # Windows locks by a file beside it, which stays, and has no modes
        assert list(keys.path.parent.iterdir()) == [keys.path]
        assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_a_missing_key_is_never_replaced_while_secrets_exist(keys: KeyFile) -> None:
    """A new key would make them unreadable for ever."""
    with pytest.raises(SecretsError, match=r"missing.*restore the file from a backup"):
        known_box(keys, known(b"k" * 32))
    assert not keys.path.exists()


def test_a_wrong_key_stops_everything(keys: KeyFile) -> None:
    """And is left as it is."""
    keys.make(SALT)
    content = keys.path.read_bytes()
    with pytest.raises(SecretsError, match=r"is not the key .* sealed; restore the file"):
        known_box(keys, known(b"k" * 32))
    assert keys.path.read_bytes() == content


def test_who_looks_in_another_store_is_told_which_one_it_was(keys: KeyFile) -> None:
    """Missing or wrong: the likely reason is an edited configuration."""
    was = r'\(it was made with store = "keyring"\)'
    with pytest.raises(SecretsError, match=was):
        known_box(keys, known(b"k" * 32, "keyring"))
    keys.make(SALT)
    with pytest.raises(SecretsError, match=was):
        known_box(keys, known(b"k" * 32, "keyring"))


def test_a_key_may_be_carried_to_another_store(keys: KeyFile) -> None:
    """What fits is right, wherever it lies: the check value alone decides."""
    key = keys.make(SALT)
    assert known_box(keys, known(key, "systemd")) == SecretBox(key)


def test_a_home_of_before_the_stores_keeps_its_key_file(tmp_path: Path) -> None:
    """Its database is brought up to date; the key stays what it was."""
    key = KeyFile(tmp_path / KEY_FILE).make(SALT)
    with closing(Store(tmp_path, MIGRATIONS[:2])) as store, store.transaction() as db:
        db.execute("INSERT INTO secret_keys VALUES ('k1', ?)", (SecretBox(key).check_value(),))
    with Home(tmp_path) as home:
        assert home.box.kek == key


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_is_refused(keys: KeyFile, mode: int) -> None:
    """It may be known already; the message names the command that closes it."""
    keys.make(SALT)
    keys.path.chmod(mode)
    with pytest.raises(SecretsError, match="chmod 600"):
        keys.find(SALT, new=True)


@pytest.mark.parametrize("content", [b"", b"short", b"A" * 44, b"\xff" * 43, b"=" * 43])
def test_a_damaged_key_file_is_refused(keys: KeyFile, content: bytes) -> None:
    """Not overwritten: it may be repaired."""
    keys.path.write_bytes(content)
    keys.path.chmod(0o600)
    with pytest.raises(SecretsError, match="damaged"):
        keys.find(SALT, new=True)
    assert keys.path.read_bytes() == content


def test_a_key_file_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    """A folder in its place, no folder to lie in."""
    with pytest.raises(SecretsError, match="cannot be used"):
        KeyFile(tmp_path / "missing" / "secrets.key").make(SALT)
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(SecretsError, match="cannot be used"):
        KeyFile(tmp_path / "folder").find(SALT, new=True)
