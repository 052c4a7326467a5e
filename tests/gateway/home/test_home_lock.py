"""The rules of who has a home open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config import Secrets
from gateway.home import home as home_module
from gateway.home.home import LOCK_FILE, Home, HomeLock
from gateway.home.home_key import HomeKey
from gateway.storage.store import StoreError

FILE = Secrets(store="file")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Home(tmp_path / "home").close()
    return tmp_path / "home"


def test_any_number_has_a_home_open(folder: Path) -> None:
    """The daemon, and the commands that make tokens."""
    with Home(folder), Home(folder), HomeKey(folder, FILE):
        pass


def test_who_exchanges_the_key_is_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody before, nobody meanwhile, everybody afterwards."""
    monkeypatch.setattr(home_module, "WAIT_S", 0.05)
    with Home(folder), pytest.raises(StoreError, match="another command of mt-gateway works in"):
        HomeKey(folder, FILE, alone=True)
    with HomeKey(folder, FILE, alone=True), pytest.raises(StoreError, match="is being exchanged"):
        Home(folder)
    with Home(folder), HomeKey(folder, FILE):
        pass


def test_an_exchange_is_waited_for(folder: Path) -> None:
    """It takes a moment: a command that comes meanwhile works all the same."""
    alone = HomeLock(folder, alone=True)
    code = (
        "import sys; from pathlib import Path; from gateway.home.home import Home\n"
        "print('comes', flush=True); Home(Path(sys.argv[1])).close(); print('worked')"
    )
    coming = subprocess.Popen(
        (sys.executable, "-c", code, str(folder)), stdout=subprocess.PIPE, text=True
    )
    assert coming.stdout is not None
    assert coming.stdout.readline() == "comes\n"
    alone.release()
    assert coming.communicate(timeout=30)[0] == "worked\n"


def test_a_hold_goes_with_its_process(folder: Path) -> None:
    """Whoever is killed keeps nobody out."""
    code = (
        "import os, sys; from pathlib import Path; from gateway.home.home import HomeLock\n"
        "hold = HomeLock(Path(sys.argv[1]), alone=True); os._exit(9)"
    )
    assert subprocess.run((sys.executable, "-c", code, str(folder)), check=False).returncode == 9
    Home(folder).close()


def test_a_lock_that_cannot_be_had_is_explained(folder: Path) -> None:
    """Such as a folder in its place."""
    (folder / LOCK_FILE).unlink()
    (folder / LOCK_FILE).mkdir()
    with pytest.raises(StoreError, match=LOCK_FILE):
        Home(folder)
