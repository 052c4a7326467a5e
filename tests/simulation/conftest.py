"""Fixtures of the simulation's own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from .sqlite_vfs import SqliteUnreachable, sqlite_vfs


@pytest.fixture(name="disk_folder")
def make_disk_folder(tmp_path: Path) -> Path:
    """Return a folder for simulated disks; skip the test where there can be none."""
    try:
        sqlite_vfs()
    except SqliteUnreachable as error:
        pytest.skip(str(error))
    return tmp_path
