"""A person's home, a terminal's folder and an EA."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal_folders import HASH, put_data, with_version

from gateway.cli.install_ea.data_folder import DataFolder, open_folder
from gateway.cli.install_ea.installation import Expert


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a person without MetaTrader."""
    place = tmp_path / "ann"
    place.mkdir()
    for name in ("HOME", "USERPROFILE", "APPDATA", "ProgramFiles", "SystemDrive"):
        monkeypatch.setenv(name, str(place))
    monkeypatch.delenv("WINEPREFIX", raising=False)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder of MetaTrader 5."""
    found = open_folder(put_data(tmp_path, HASH, "mt5"))
    assert found is not None
    return found


@pytest.fixture
def expert() -> Expert:
    """An EA of two files."""
    return with_version("1.2.0")
