"""Wine's prefixes: folders that look like a Windows machine to the programs in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath

DRIVE_C = "drive_c"
PREFIXES = (
    ".wine",
    ".mt5",  # of MetaQuotes' own installer for Linux
    ".mt4",
    # macOS: MetaQuotes' own packages
    "Library/Application Support/net.metaquotes.wine.metatrader5",
    "Library/Application Support/net.metaquotes.wine.metatrader4",
)
"""Below the home folder."""
COLLECTIONS = (
    ".local/share/bottles/bottles",
    ".var/app/com.usebottles.bottles/data/bottles/bottles",
    ".cxoffice",
    "Library/Application Support/CrossOver/Bottles",
    "Games",  # Lutris
    ".PlayOnLinux/wineprefix",
    "Library/PlayOnMac/wineprefix",
    ".local/share/wineprefixes",
)
"""Folders of prefixes, below the home folder: Bottles, CrossOver, Lutris, PlayOnLinux,
winetricks."""


def prefixes(home: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the prefixes of a person, at the places where programs make them.

    Args:
        home: his home folder.
        environ: the environment; ``WINEPREFIX`` names one.

    """
    named = environ.get("WINEPREFIX")
    places = [Path(named)] if named else []
    places += [home / place for place in PREFIXES]
    for collection in COLLECTIONS:
        places += children(home / collection)
    yield from (place for place in places if is_prefix(place))


def is_prefix(folder: Path) -> bool:
    """Whether a folder is one of Wine's."""
    return (folder / DRIVE_C).is_dir()


def prefix_of(path: Path) -> Path | None:
    """Return the prefix in which a path lies, if it does."""
    for place in path.parents:
        if place.name == DRIVE_C:
            return place.parent
    return None


def to_windows(path: Path, prefix: Path) -> PureWindowsPath:
    """Return what a program in a prefix calls a path; what lies elsewhere is on its drive Z."""
    drive = prefix / DRIVE_C
    if path.is_relative_to(drive):
        return PureWindowsPath("C:/").joinpath(*path.relative_to(drive).parts)
    return PureWindowsPath("Z:/").joinpath(*path.absolute().parts[1:])


def from_windows(path: PureWindowsPath, prefix: Path) -> Path | None:
    """Return where a folder of Windows lies; ``None`` if it is not there."""
    letter = path.drive.rstrip(":").lower()
    if len(letter) != 1 or not path.is_absolute():
        return None
    drive = prefix / DRIVE_C if letter == "c" else prefix / "dosdevices" / f"{letter}:"
    found = drive.joinpath(*path.parts[1:])
    return found if found.is_dir() else None


def children(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(one.path) for one in entries if one.is_dir())
    except OSError:
        return []
