"""A home whose key lies in a file, and the commands on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from key_home import Run

from gateway.cli.secrets import KIT_PASSPHRASE_FILE
from gateway.credentials.key_store.passphrase import NEW_PASSPHRASE_FILE, PASSPHRASE_FILE
from gateway.home.home import Home


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a token, whose key lies in a file."""
    for name in (PASSPHRASE_FILE, NEW_PASSPHRASE_FILE, KIT_PASSPHRASE_FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    folder = tmp_path / "home"
    with Home(folder) as home:
        home.issuer.create("A")
    return folder


@pytest.fixture
def secrets(run: Run, folder: Path) -> Run:
    """Run one of the commands on that home."""
    return lambda *arguments: run("secrets", *arguments, "--home", str(folder))
