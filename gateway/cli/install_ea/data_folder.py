"""Data folders of MetaTrader: the sources of EAs in them, and the search on Windows and Wine.

Each terminal has one. By default it is ``%APPDATA%\\MetaQuotes\\Terminal\\<32 digits>``, in which
``origin.txt`` names the folder of the program (``terminal64.exe``); a portable terminal keeps all
in the program's folder itself. In it lies ``MQL5``, of MetaTrader 4 ``MQL4``: that tells them
apart. MetaTrader's File > Open Data Folder shows it.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from gateway.cli.output import CliError

Platform = Literal["mt5", "mt4"]

ORIGIN = "origin.txt"
MAX_ORIGIN_BYTES = 4096
PROGRAMS: dict[str, Platform] = {"terminal64.exe": "mt5", "terminal.exe": "mt4"}
EDITORS: dict[Platform, str] = {"mt5": "metaeditor64.exe", "mt4": "metaeditor.exe"}


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Data folder of one terminal."""

    platform: Platform
    path: Path
    program: Path | None = None
    """The folder of ``terminal64.exe`` or ``terminal.exe``; ``None`` if nothing tells."""
    origin: str | None = None
    """The same as the terminal names it: a path of Windows, also under Wine."""
    prefix: Path | None = None
    """Wine's, in which it lies; ``None`` on Windows."""

    @property
    def language_folder(self) -> str:
        """``MQL5`` or ``MQL4``."""
        return f"MQL{self.platform[-1]}"

    @property
    def mql(self) -> Path:
        """The folder below which the EA's files go."""
        return self.path / self.language_folder

    @property
    def is_portable(self) -> bool:
        """Whether program and data lie in one folder."""
        return self.program == self.path

    @property
    def title(self) -> str:
        """``MetaTrader 5`` or ``MetaTrader 4``."""
        return f"MetaTrader {self.platform[-1]}"

    @property
    def editor(self) -> str | None:
        """The compiler, as the terminal's system names it; ``None`` if it is not there."""
        name = EDITORS[self.platform]
        if self.program is None or not (self.program / name).is_file():
            return None
        return self.named(self.program / name)

    def named(self, path: Path) -> str:
        """Return what a path is called by the terminal: a path of Windows."""
        return str(path) if self.prefix is None else str(to_windows(path, self.prefix))

    def source(self, below: PurePosixPath) -> Path:
        """Return where one of the EA's files goes."""
        return self.mql.joinpath(*below.parts)


def open_folder(path: Path, prefix: Path | None = None) -> DataFolder | None:
    """Return the data folder at a path; ``None`` if there is none.

    Args:
        path: need not be there.
        prefix: Wine's; found out from the path if it is not given.

    """
    platform = _platform(path)
    if platform is None:
        return None
    prefix = prefix or prefix_of(path)
    # portable, or not started since it was installed
    if any((path / name).is_file() for name in PROGRAMS):
        return DataFolder(platform, path, path, prefix=prefix)
    origin = _origin(path / ORIGIN)
    program = None if origin is None else _program(origin, prefix)
    return DataFolder(platform, path, program, origin, prefix)


def _platform(path: Path) -> Platform | None:
    is_mt5, is_mt4 = (path / "MQL5").is_dir(), (path / "MQL4").is_dir()
    if is_mt5 and is_mt4:  # somebody has made the other one by mistake: the terminal knows
        kinds = {kind for name, kind in PROGRAMS.items() if (path / name).is_file()}
        return "mt4" if kinds == {"mt4"} or (path / "history").is_dir() else "mt5"
    return "mt5" if is_mt5 else "mt4" if is_mt4 else None


def _program(origin: str, prefix: Path | None) -> Path | None:
    if prefix is not None:
        return from_windows(PureWindowsPath(origin), prefix)
    path = Path(origin)
    return path if path.is_absolute() and path.is_dir() else None


def _origin(file: Path) -> str | None:
    """Return the path in an ``origin.txt``: UTF-16 with its mark, of some builds UTF-8."""
    try:
        if not file.is_file():
            return None
        with file.open("rb") as reading:
            raw = reading.read(MAX_ORIGIN_BYTES)
    except OSError:
        return None
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = raw.decode("utf-16", "replace")
    else:
        text = raw.decode("utf-16-le" if b"\0" in raw else "utf-8-sig", "replace")
    told = text.strip().splitlines()
    return told[0] if told and told[0].isprintable() else None


# --- search on this machine ---------------------------------------------------------------------

TERMINALS = Path("MetaQuotes", "Terminal")
"""Below a user's folder for programs' data."""
ROAMING = (Path("AppData", "Roaming"), Path("Application Data"))
"""Where that is below a user's folder, of Windows of today and before Vista."""
INSTALLED = ("Program Files", "Program Files (x86)", ".")
"""Where programs are below drive C."""


def found_terminals(
    wine_prefix: Path | None = None,
    *,
    home: Path | None = None,
    environ: Mapping[str, str] | None = None,
    is_windows: bool = sys.platform == "win32",
) -> list[DataFolder]:
    """Return the data folders that are on this machine, each once.

    Args:
        wine_prefix: look there alone.
        home: the person's home folder.
        environ: the environment.
        is_windows: look where Windows has them, not where Wine has.

    Raises:
        CliError: ``wine_prefix`` is none.

    """
    environ = os.environ if environ is None else environ
    if wine_prefix is not None:
        if not is_prefix(wine_prefix):
            raise CliError(f"{wine_prefix} is no prefix of Wine: it has no folder {DRIVE_C}", 2)
        return list(_each_once(_in_prefix(wine_prefix)))
    if is_windows:
        return list(_each_once(_on_windows(environ)))
    places = prefixes(home or Path.home(), environ)
    return list(_each_once(folder for place in places for folder in _in_prefix(place)))


def chosen(directory: Path, known: Sequence[DataFolder]) -> DataFolder:
    """Return the data folder that a person means.

    Args:
        directory: a data folder, the ``MQL5`` or ``MQL4`` in it, or the folder of a program.
        known: what was found on this machine.

    Raises:
        CliError: it is none of these, or of several terminals.

    """
    directory = directory.absolute()
    if directory.name in ("MQL5", "MQL4"):
        found = open_folder(directory.parent)
        if found is not None and found.mql == directory:
            return found
    for folder in known:
        if _is_same(folder.path, directory):
            return folder
    theirs = [folder for folder in known if folder.program and _is_same(folder.program, directory)]
    if len(theirs) > 1:
        places = ", ".join(str(folder.path) for folder in theirs)
        raise CliError(
            f"{directory} is the program of several data folders; name one: {places}", 2
        )
    found = theirs[0] if theirs else open_folder(directory)
    if found is None:
        raise CliError(
            f"{directory} is no data folder of MetaTrader: it has neither MQL5 nor MQL4; start "
            "the terminal once, and look where File > Open Data Folder leads",
            2,
        )
    return found


def _on_windows(environ: Mapping[str, str]) -> Iterator[DataFolder]:
    roaming = environ.get("APPDATA")
    data = list(_data_folders(Path(roaming) / TERMINALS, None)) if roaming else []
    drive = environ.get("SystemDrive")
    parents = [environ.get(name) for name in ("ProgramFiles", "ProgramFiles(x86)")]
    parents += [drive and f"{drive}\\"]
    yield from data
    yield from _programs((Path(parent) for parent in parents if parent), data, None)


def _in_prefix(prefix: Path) -> Iterator[DataFolder]:
    data = [
        folder
        for user in children(prefix / DRIVE_C / "users")
        for roaming in ROAMING
        for folder in _data_folders(user / roaming / TERMINALS, prefix)
    ]
    yield from data
    yield from _programs((prefix / DRIVE_C / name for name in INSTALLED), data, prefix)


def _data_folders(place: Path, prefix: Path | None) -> Iterator[DataFolder]:
    for folder in children(place):
        found = open_folder(folder, prefix)
        if found is not None:
            yield found


def _programs(
    parents: Iterable[Path], data: Sequence[DataFolder], prefix: Path | None
) -> Iterator[DataFolder]:
    """Yield the folders of programs that keep their data in themselves: those that no data folder
    is of."""
    taken = {_identity(found.program) for found in data if found.program is not None}
    for folder in (folder for parent in parents for folder in children(parent)):
        if any((folder / name).is_file() for name in PROGRAMS) and _identity(folder) not in taken:
            found = open_folder(folder, prefix)
            if found is not None:
                yield found


def _each_once(folders: Iterable[DataFolder]) -> Iterator[DataFolder]:
    seen = set()
    for folder in folders:
        mark = _identity(folder.path)
        if mark is not None and mark not in seen:
            seen.add(mark)
            yield folder


def _is_same(left: Path, right: Path) -> bool:
    mark = _identity(left)
    return mark is not None and mark == _identity(right)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a folder from others, however it is spelt."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


# --- prefixes of Wine: folders that look like a Windows machine to the programs in them ----------

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
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []
