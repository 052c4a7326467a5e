"""The key of a home, and files with passphrases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Done

from gateway.config import Secrets
from gateway.home.home import Home

Run = Callable[..., Done]


def passphrase_file(
    monkeypatch: pytest.MonkeyPatch, folder: Path, variable: str, words: str
) -> None:
    file = folder.parent / f"{variable}.txt"
    file.write_text(f"{words}\n")
    file.chmod(0o600)
    monkeypatch.setenv(variable, str(file))


def kek(folder: Path) -> bytes:
    with Home(folder, Secrets()) as home:
        assert [one.label for one in home.issuer.list()] == ["A"]
        return home.box.kek
