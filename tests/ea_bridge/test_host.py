"""What the host's own files need, on each system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ea_bridge import host


def test_a_file_takes_the_place_of_one_that_is_read(tmp_path: Path) -> None:
    """Whoever reads it lets go of it at the second try; Windows refuses the first."""
    old, fresh, tries = tmp_path / "trails.json", tmp_path / "trails.json.new", []
    old.write_text("old")
    fresh.write_text("fresh")
    reader = old.open()

    class Pausing(host.Host):
        def sleep(self, seconds: float) -> None:
            tries.append(seconds)
            reader.close()

    with reader, host.handed_in(Pausing()):
        host.replace_file(fresh, old)
    assert old.read_text() == "fresh"
    assert tries == ([host.REPLACE_PAUSE_S] if sys.platform == "win32" else [])


def test_who_never_lets_go_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded number of tries, and only where another try may help."""
    tries = 0

    def refuse(self: Path, target: Path) -> Path:
        nonlocal tries
        tries += 1
        raise PermissionError(13, "in use")

    class Unpaused(host.Host):
        def sleep(self, seconds: float) -> None:
            pass

    monkeypatch.setattr(Path, "replace", refuse)
    for platform, most in (("win32", host.REPLACE_TRIES), ("linux", 1)):
        monkeypatch.setattr(sys, "platform", platform)
        tries = 0
        with host.handed_in(Unpaused()), pytest.raises(PermissionError, match="in use"):
            host.replace_file(tmp_path / "fresh", tmp_path / "old")
        assert tries == most
