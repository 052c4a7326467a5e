"""A data folder of MetaTrader: where a terminal keeps, among much else, the sources of EAs.

Each terminal has one. By default it is ``%APPDATA%\\MetaQuotes\\Terminal\\<32 digits>``, in which
``origin.txt`` names the folder of the program (``terminal64.exe``); a portable terminal keeps all
in the program's folder itself. In it lies ``MQL5``, of MetaTrader 4 ``MQL4``: that tells them
apart. MetaTrader's File > Open Data Folder shows it.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from gateway.cli.install_ea import wine
from gateway.cli.install_ea.expert import Platform

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
        return str(path) if self.prefix is None else str(wine.to_windows(path, self.prefix))

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
    prefix = prefix or wine.prefix_of(path)
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
        return wine.from_windows(PureWindowsPath(origin), prefix)
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
