"""The EA that comes with the package."""

from __future__ import annotations

import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from terminal_folders import PLATFORMS

from ea_bridge.emulator.terminal import EA_VERSION
from gateway.cli.install_ea import installation
from gateway.cli.install_ea.data_folder import Platform
from gateway.cli.install_ea.installation import is_older, shipped, shipped_version


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_ea_comes_with_the_package(platform: Platform) -> None:
    """With all that it includes, as the package's own resources, and nothing but sources."""
    expert = shipped(platform)
    assert list(expert.files)[-1] == expert.main
    names = {str(path).replace("/", "\\") for path in expert.files}
    for path, text in expert.files.items():
        for wanted in re.findall(rb"#include <(.+)>", text):
            assert f"Include\\{wanted.decode()}" in names, path
    assert {path.suffix for path in expert.files} <= {".mqh", expert.main.suffix}
    own = files("ea_bridge") / f"mql{platform[-1]}" / str(expert.main)
    assert own.read_bytes() == expert.files[expert.main]


def test_what_lies_beside_the_sources_stays_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what an editor leaves there, nor a program that somebody has compiled."""
    package = tmp_path / "package"
    shutil.copytree(str(files("ea_bridge") / "mql5"), package / "mql5")
    for name in ("Link.mqh.bak", ".Link.mqh.swp", "Link.ex5", "installed.txt"):
        (package / "mql5" / "Include" / "TerminalGateway" / name).touch()
    expected = shipped("mt5").files
    monkeypatch.setattr(installation, "files", lambda _: package)
    assert shipped("mt5").files == expected


def test_metatrader_4_has_its_own_where_it_differs() -> None:
    """The rest is MetaTrader 5's."""
    ours, other = shipped("mt4").files, shipped("mt5").files
    own = files("ea_bridge") / "mql4" / "Include" / "TerminalGateway"
    for path in set(ours) & set(other):
        is_own = (own / path.name).is_file()
        assert (ours[path] != other[path]) == is_own, path
    assert {path.name for path in ours} >= {one.name for one in own.iterdir()}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_version(platform: Platform) -> None:
    """The EA's hello, the property that MetaTrader shows, and the emulator tell the same."""
    expert = shipped(platform)
    shown = re.search(rb'#property version\s+"(\d+)\.(\d)(\d)"', expert.files[expert.main])
    assert shown is not None
    assert [int(one) for one in shown.groups()] == [int(one) for one in expert.version.split(".")]
    assert expert.version == EA_VERSION == shipped_version()


@pytest.mark.parametrize(
    ("left", "right", "older"),
    [
        ("1.9.0", "1.10.0", True),
        ("1.0", "1.0.0", False),
        ("2.0.0", "1.9.9", False),
        ("1.x", "1.0.0", None),
        ("", "1.0.0", None),
        ("1.0.0", "²", None),
    ],
)
def test_versions_are_numbers(left: str, right: str, older: bool | None) -> None:
    """Compared number by number; what is no version is older than nothing."""
    assert is_older(left, right) is older
