"""The EA: the one that came with this gateway, and its copy into one data folder.

Beside the sources lies ``installed.txt``, with the SHA-256 of each file as it was put there. A
file that is neither that nor ours was edited by somebody: it is kept as ``.bak`` before it is
replaced. Every file is replaced at once or not at all, and nothing else in the folder is touched.
Who can write into the folder could lay links there that lead elsewhere: they are not followed.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Literal

from gateway.cli.install_ea.data_folder import DataFolder, Platform
from gateway.cli.output import CliError

NAME = "TerminalGateway"
INCLUDES = PurePosixPath("Include", NAME)
VERSION_FILE = INCLUDES / "Hello.mqh"
"""Says which version the EA tells the daemon, under :data:`_VERSION`."""
SOURCES = (".mq5", ".mq4", ".mqh")

_VERSION = re.compile(rb'^#define[ \t]+HELLO_EA_VERSION[ \t]+"(\d{1,6}(?:\.\d{1,6}){0,3})"', re.M)


@dataclass(frozen=True, slots=True)
class Expert:
    """The EA for one MetaTrader."""

    platform: Platform
    version: str
    """As the EA says it in its hello, ``1.0.0``."""
    files: Mapping[PurePosixPath, bytes]
    """By their path below the folder ``MQL5`` or ``MQL4``. The one that is compiled comes last."""

    @property
    def main(self) -> PurePosixPath:
        """The file that is compiled."""
        return main_file(self.platform)


def main_file(platform: Platform) -> PurePosixPath:
    """Return the path of the file that is compiled, below ``MQL5`` or ``MQL4``."""
    return PurePosixPath("Experts", f"{NAME}.mq{platform[-1]}")


def shipped(platform: Platform) -> Expert:
    """Return the EA that came with this gateway.

    MetaTrader 4's shares the includes of MetaTrader 5's, but for those that it has itself.
    """
    bridge = files("ea_bridge")
    found = dict(_sources(bridge / "mql5"))
    if platform == "mt4":
        found |= dict(_sources(bridge / "mql4"))
    main = main_file(platform)
    parts = {path: text for path, text in sorted(found.items()) if INCLUDES in path.parents}
    version = version_in(parts[VERSION_FILE])
    assert version is not None  # a test reads it
    # the main file last: until it is there nothing new can be compiled
    return Expert(platform, version, {**parts, main: found[main]})


def shipped_version() -> str:
    """Return the version of the EA that came with this gateway; it is the same for both."""
    version = version_in((files("ea_bridge") / "mql5" / str(VERSION_FILE)).read_bytes())
    assert version is not None  # a test reads it
    return version


def version_in(text: bytes) -> str | None:
    """Return the version that a ``Hello.mqh`` names; ``None`` if it names none."""
    found = _VERSION.search(text)
    return None if found is None else found[1].decode()


def is_older(version: str, than: str) -> bool | None:
    """Compare two versions; ``None`` if one of them is none of ours."""
    numbers = [_numbers(text) for text in (version, than)]
    left, right = numbers
    return None if left is None or right is None else left < right


def _numbers(version: str) -> tuple[int, ...] | None:
    parts = version.split(".")
    if len(parts) > 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return (*numbers, *[0] * (4 - len(numbers)))


def _sources(folder: Traversable, *path: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    for entry in folder.iterdir():
        below = PurePosixPath(*path, entry.name)
        if entry.is_dir():
            yield from _sources(entry, *below.parts)
        elif below.suffix in SOURCES:
            yield below, entry.read_bytes()


RECORD = INCLUDES / "installed.txt"
MAX_SOURCE_BYTES = 1 << 20
"""Of a file that is to be compared; ours are smaller by far."""
MAX_BACKUPS = 99
"""Of one file."""

State = Literal["none", "older", "edited", "same", "newer"]
Kind = Literal["new", "changed", "same"]

_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_LINKS = (0xA000000C, 0xA0000003)
"""Windows' tags of symbolic links and junctions (``IO_REPARSE_TAG_*``)."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """Change of one file."""

    path: PurePosixPath
    """Below ``MQL5`` or ``MQL4``."""
    kind: Kind
    is_edited: bool = False
    """It was changed by somebody else: what is there is kept."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The EA in a data folder, compared with ours."""

    folder: DataFolder
    expert: Expert
    version: str | None
    """Of the EA that is there; ``None`` if there is none, or one that names no version."""
    changes: tuple[FileChange, ...]
    is_compiled: bool
    """The program that the terminal runs is there, and no older than the sources that are."""

    @property
    def state(self) -> State:
        """How what is there stands to ours."""
        if self.version is not None and is_older(self.expert.version, self.version):
            return "newer"
        if all(change.kind == "same" for change in self.changes):
            return "same"
        if self.version is None:
            return "edited" if self._of_kind("changed", "same") else "none"
        return "older" if is_older(self.version, self.expert.version) else "edited"

    def count(self, kind: Kind) -> int:
        """Return how many files are new, changed or the same."""
        return len(self._of_kind(kind))

    def _of_kind(self, *kinds: Kind) -> list[FileChange]:
        return [change for change in self.changes if change.kind in kinds]


def look(folder: DataFolder, expert: Expert) -> Installation:
    """Compare what is in a data folder with the EA that we bring.

    Raises:
        CliError: a link is in the way, or a file cannot be read.

    """
    with _complaining():
        found = {path: _read(folder, path) for path in expert.files}
        recorded = _record(_read(folder, RECORD))
        changes = tuple(_change(path, found[path], expert, recorded) for path in expert.files)
        version = version_in(found[VERSION_FILE] or b"")
        return Installation(folder, expert, version, changes, _is_compiled(folder, expert))


def copy(installation: Installation) -> list[Path]:
    """Put the EA into the data folder.

    Returns:
        The copies that were made of what somebody had edited.

    Raises:
        CliError: what is there is newer, a link is in the way, or a file cannot be written. The
            files that were replaced by then stay: to try again completes it.

    """
    folder, expert, kept = installation.folder, installation.expert, []
    if installation.state == "newer":
        raise CliError(_newer(installation))
    with _complaining():
        for change in installation.changes:
            if change.kind == "same":
                continue
            # the copy before the file: at no moment are somebody's edits gone
            if change.is_edited:
                kept.append(_keep(folder, change.path))
            _write(folder, change.path, expert.files[change.path])
        # last: an interrupted copy leaves the old digests, and what it replaced equals ours
        record = "".join(f"{_digest(text)}  {path}\n" for path, text in expert.files.items())
        if _read(folder, RECORD) != record.encode():
            _write(folder, RECORD, record.encode())
    return kept


def _newer(installation: Installation) -> str:
    main = installation.folder.source(installation.expert.main)
    return (
        f"the EA there is version {installation.version}, newer than {installation.expert.version}"
        f" of this gateway: upgrade mt-gateway; to go back all the same delete {main} and "
        f"{installation.folder.source(INCLUDES)}"
    )


def _change(
    path: PurePosixPath, there: bytes | None, expert: Expert, recorded: Mapping[str, str]
) -> FileChange:
    if there is None:
        return FileChange(path, "new")
    if there == expert.files[path]:
        return FileChange(path, "same")
    return FileChange(path, "changed", is_edited=recorded.get(str(path)) != _digest(there))


def _record(text: bytes | None) -> dict[str, str]:
    lines = (text or b"").decode("ascii", "replace").splitlines()
    return {found[2]: found[1] for line in lines if (found := _LINE.fullmatch(line))}


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _is_compiled(folder: DataFolder, expert: Expert) -> bool:
    program = folder.source(expert.main.with_suffix(f".ex{expert.platform[-1]}"))
    try:
        # MetaEditor writes the program after the sources: an older one is of another version
        made_at = program.stat().st_mtime_ns
        return all(folder.source(path).stat().st_mtime_ns <= made_at for path in expert.files)
    except OSError:
        return False


# --- files -------------------------------------------------------------------------------------


def _read(folder: DataFolder, below: PurePosixPath) -> bytes | None:
    """Return what a file says, ``None`` if it is not there."""
    path = folder.source(below)
    for parent in _parents(folder, below):
        if not _is_plain(parent, stat.S_ISDIR):
            return None
    if not _is_plain(path, stat.S_ISREG):
        return None
    with path.open("rb") as reading:
        text = reading.read(MAX_SOURCE_BYTES + 1)
    if len(text) > MAX_SOURCE_BYTES:
        raise CliError(f"{path} is too large to be of the EA: move it away, and try again")
    return text


def _write(folder: DataFolder, below: PurePosixPath, text: bytes) -> None:
    """Put a file there, whole or not at all. A link in its place would be replaced itself."""
    path = folder.source(below)
    for parent in _parents(folder, below):
        if not _is_plain(parent, stat.S_ISDIR):
            parent.mkdir()
    # a name that nobody can foresee: else a link could lie there already
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    _create(part, text)
    with _removing(part):
        part.replace(path)


def _keep(folder: DataFolder, below: PurePosixPath) -> Path:
    """Copy a file that somebody has edited to a free name beside it."""
    path, text = folder.source(below), _read(folder, below) or b""
    for number in range(1, MAX_BACKUPS + 1):
        kept = path.with_name(f"{path.name}.bak{number if number > 1 else ''}")
        with suppress(FileExistsError):
            _create(kept, text)
            return kept
    raise CliError(f"there are {MAX_BACKUPS} copies of {path}: move some away, and try again")


def _create(path: Path, text: bytes) -> None:
    # O_EXCL follows no link; O_BINARY: Windows would change the ends of lines, and the digest
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    opened = os.open(path, flags, 0o666)
    with _removing(path), os.fdopen(opened, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _removing(path: Path) -> Iterator[None]:
    """Leave no file behind that is not whole, or not where it belongs."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


@contextmanager
def _complaining() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CliError(
            f"{error.filename}: {error.strerror}; see that the folder is yours and that no "
            "program has the file open, and try again"
        ) from error


def _parents(folder: DataFolder, below: PurePosixPath) -> Iterator[Path]:
    """Yield the folders from ``MQL5`` down to the one that a file lies in."""
    for parent in reversed(below.parents):
        yield folder.source(parent)


def _is_plain(path: Path, is_kind: Callable[[int], bool]) -> bool:
    """Whether a file, or folder, is there.

    Raises:
        CliError: something else is there in its place, a link above all.

    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) in _LINKS:
        raise CliError(
            f"{path} is a link to elsewhere, which is not followed: put a plain file or folder in "
            "its place, or copy the EA by hand"
        )
    if not is_kind(found.st_mode):
        raise CliError(f"{path} is in the way: move it away, and try again")
    return True
