"""Folders as MetaTrader makes them, of Windows and under Wine, and an EA to be put there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from shell import Done

from gateway.cli.install_ea.data_folder import Platform
from gateway.cli.install_ea.installation import VERSION_FILE, Expert

Run = Callable[..., Done]
PLATFORMS: tuple[Platform, ...] = ("mt5", "mt4")
HASH = "D0E8209F77C8CF37AD8BF550E51FF075"
OTHER_HASH = "50CA3DFB510CC5A8F28B48D1BF2A5702"
MAIN = PurePosixPath("Experts/TerminalGateway.mq5")
posix_only = pytest.mark.skipif(os.name != "posix", reason="links need a right on Windows")


def put_program(folder: Path, kind: Platform, *, mql: bool = True) -> Path:
    """Make the folder of a program, as an installer does."""
    (folder / f"MQL{kind[-1]}" if mql else folder).mkdir(parents=True)
    for name in {"mt5": ("terminal64.exe", "metaeditor64.exe"), "mt4": ("terminal.exe",)}[kind]:
        (folder / name).touch()
    return folder


def put_data(
    roaming: Path, name: str, kind: Platform, origin: str = "", *, coding: str = "utf-16"
) -> Path:
    """Make a data folder, as a terminal does at its first start."""
    folder = roaming / "MetaQuotes" / "Terminal" / name
    (folder / f"MQL{kind[-1]}" / "Experts").mkdir(parents=True)
    if origin:
        (folder / "origin.txt").write_bytes(origin.encode(coding))
    return folder


def put_prefix(prefix: Path, user: str = "ann") -> tuple[Path, Path]:
    """Make a prefix of Wine with one MetaTrader 5; return the folders of data and program."""
    program = put_program(prefix / "drive_c" / "Program Files" / "MetaTrader 5", "mt5")
    roaming = prefix / "drive_c" / "users" / user / "AppData" / "Roaming"
    (roaming / "MetaQuotes" / "Terminal" / "Common" / "Files").mkdir(parents=True)
    return put_data(roaming, HASH, "mt5", r"C:\Program Files\MetaTrader 5"), program


def with_version(version: str) -> Expert:
    hello = f'#define HELLO_EA_VERSION  "{version}"\n'.encode()
    return Expert("mt5", version, {VERSION_FILE: hello, MAIN: b"// the EA " + version.encode()})


def contents(place: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(place)): one.read_bytes() for one in place.rglob("*") if one.is_file()
    }
