"""The rules of the key as a systemd credential."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.credentials.key_store.file import CREDENTIAL, SystemdCredential
from gateway.credentials.secrets import SecretsError, encode_key
from gateway.home.home import Home

KEY = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A credentials directory with a key in it."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / CREDENTIAL).write_text(encode_key(KEY) + "\n")
    (folder / CREDENTIAL).chmod(0o400)
    return folder


def of(folder: Path) -> SystemdCredential:
    return SystemdCredential.of({"CREDENTIALS_DIRECTORY": str(folder)})


def test_a_home_opens_with_the_credential(folder: Path, tmp_path: Path) -> None:
    """New or not, and nothing of the key lies in the home."""
    for _ in range(2):
        with Home(tmp_path / "home", of(folder)) as home:
            assert home.box.kek == KEY
    assert not list((tmp_path / "home").glob("*.key"))


@pytest.mark.parametrize("environment", [{}, {"CREDENTIALS_DIRECTORY": ""}])
def test_without_systemd_nothing_starts(environment: dict[str, str], tmp_path: Path) -> None:
    """The message names the line of the unit; no key is made."""
    with pytest.raises(SecretsError, match=f"LoadCredentialEncrypted={CREDENTIAL}"):
        Home(tmp_path / "home", SystemdCredential.of(environment))


def test_a_lost_credential_stops_everything(folder: Path, tmp_path: Path) -> None:
    """As does another one."""
    Home(tmp_path / "home", of(folder)).close()
    (folder / CREDENTIAL).unlink()
    with pytest.raises(SecretsError, match="missing, but the database holds secrets"):
        Home(tmp_path / "home", of(folder))
    (folder / CREDENTIAL).write_text(encode_key(bytes(32)))
    (folder / CREDENTIAL).chmod(0o400)
    with pytest.raises(SecretsError, match="is not the key"):
        Home(tmp_path / "home", of(folder))


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
@pytest.mark.parametrize(
    ("mode", "safe"),
    [(0o400, True), (0o440, True), (0o600, True), (0o444, False), (0o460, False), (0o402, False)],
)
def test_a_credential_open_to_others_is_refused(folder: Path, mode: int, safe: bool) -> None:
    """The group's right to read is how the access list of a unit with User= shows."""
    (folder / CREDENTIAL).chmod(mode)
    if safe:
        assert of(folder).find(b"", new=False) == KEY
        return
    with pytest.raises(SecretsError, match="open to other users"):
        of(folder).find(b"", new=False)


@pytest.mark.parametrize("content", ["", "x", "A" * 44, "\u00e4" * 43])
def test_a_damaged_credential_is_refused(folder: Path, content: str) -> None:
    """Such as a raw key, or a file of something else."""
    (folder / CREDENTIAL).unlink()
    (folder / CREDENTIAL).write_text(content, "utf-8")
    (folder / CREDENTIAL).chmod(0o400)
    with pytest.raises(SecretsError, match="43 base64url characters"):
        of(folder).find(b"", new=True)


def test_a_credential_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """With what the system says."""
    (tmp_path / CREDENTIAL).mkdir()
    with pytest.raises(SecretsError, match="cannot be read"):
        of(tmp_path).find(b"", new=True)
