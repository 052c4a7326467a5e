"""Search for MetaTrader on this machine: on Windows, and under Wine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gateway.cli.install_ea.data_folder import PROGRAMS, DataFolder, open_folder
from gateway.cli.install_ea.wine import DRIVE_C, children, is_prefix, prefixes
from gateway.cli.output import CliError

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
    return list(_each_once(one for place in places for one in _in_prefix(place)))


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
    for one in known:
        if _is_same(one.path, directory):
            return one
    theirs = [one for one in known if one.program and _is_same(one.program, directory)]
    if len(theirs) > 1:
        places = ", ".join(str(one.path) for one in theirs)
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
    yield from _programs((Path(one) for one in parents if one), data, None)


def _in_prefix(prefix: Path) -> Iterator[DataFolder]:
    data = [
        one
        for user in children(prefix / DRIVE_C / "users")
        for roaming in ROAMING
        for one in _data_folders(user / roaming / TERMINALS, prefix)
    ]
    yield from data
    yield from _programs((prefix / DRIVE_C / one for one in INSTALLED), data, prefix)


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
    taken = {_identity(one.program) for one in data if one.program is not None}
    for folder in (one for parent in parents for one in children(parent)):
        if any((folder / name).is_file() for name in PROGRAMS) and _identity(folder) not in taken:
            found = open_folder(folder, prefix)
            if found is not None:
                yield found


def _each_once(folders: Iterable[DataFolder]) -> Iterator[DataFolder]:
    seen = set()
    for one in folders:
        mark = _identity(one.path)
        if mark is not None and mark not in seen:
            seen.add(mark)
            yield one


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
