"""The home folder: rights, room, database, key. What is missing or old is left as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.auth.home import MIGRATIONS, Home
from gateway.cli.complaint import known_failures
from gateway.cli.doctor.finding import Finding, all_skipped, ok, problem, skipped, split, warning
from gateway.config import Config, ConfigError, load
from gateway.credentials.record import Record
from gateway.credentials.secrets import SecretsError
from gateway.store import DATABASE, Store

MIN_FREE_BYTES = 100_000_000
_STORED = ("database", "key")


@dataclass(frozen=True, slots=True)
class Folder:
    """What a home folder told."""

    findings: tuple[Finding, ...]
    records: tuple[Record, ...] | None = None
    """Of its tokens; ``None`` if they could not be read."""


def config(file: Path | None) -> tuple[Finding, Config | None]:
    """Read the configuration file, and return what it says; ``None`` if nobody can tell."""
    if file is None:
        return ok("config", "no file was named: the defaults hold"), Config()
    try:
        return ok("config", str(file)), load(file)
    except ConfigError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more)" if others else ""
        return problem("config", first + more, "correct the file, as config.example.toml"), None


def examine(home: Path, key_file: str | None) -> Folder:
    """Look at a home folder.

    Args:
        home: need not be there.
        key_file: where the configuration has it; ``None`` if the key lies in no file, or the
            configuration cannot be read.

    """
    try:
        place = home_folder(home)
        if place.verdict == "problem" or not home.is_dir():
            return Folder((place, *all_skipped(("disk", *_STORED), "see home")))
        space = disk(home)
        stored, records = database(home, key_file)
    except OSError as error:
        place = problem("home", f"{error.filename}: {error.strerror}", "see that it is yours")
        return Folder((place, *all_skipped(("disk", *_STORED), "see home")))
    return Folder((place, space, *stored), records)


def home_folder(home: Path) -> Finding:
    """There, ours, and closed to others."""
    try:
        found = home.stat()
    except FileNotFoundError:
        return skipped("home", f"{home} is not there yet; serve or demo will make it")
    if not stat.S_ISDIR(found.st_mode):
        return problem("home", f"{home} is no folder", "move it away, or name another --home")
    if os.name != "posix":
        return ok("home", str(home))
    if found.st_uid not in (os.getuid(), 0) or not os.access(home, os.W_OK | os.X_OK):
        return problem(
            "home", f"{home} belongs to another user", "run mt-gateway as that user alone"
        )
    mode, close = stat.S_IMODE(found.st_mode), f"run: chmod 700 {home}"
    if mode & 0o022:
        return problem("home", f"other users may write to {home} (mode {mode:04o})", close)
    if mode & 0o077:
        return warning("home", f"other users may look into {home} (mode {mode:04o})", close)
    return ok("home", str(home))


def disk(home: Path, min_free_bytes: int = MIN_FREE_BYTES) -> Finding:
    """Room for the database to grow."""
    free = shutil.disk_usage(home).free
    found = f"{free / 1e6:,.0f} MB free"
    if free < min_free_bytes:
        return problem("disk", found, f"make room: {min_free_bytes / 1e6:,.0f} MB are needed")
    return ok("disk", found)


def database(
    home: Path, key_file: str | None
) -> tuple[Sequence[Finding], tuple[Record, ...] | None]:
    """The database and the key to its secrets, opened as the daemon opens them.

    Opening makes what is missing and brings an old database up to date, so it is not done then.

    Returns:
        The findings, and the records of the tokens.

    """
    file = home / DATABASE
    if not file.exists() or not file.stat().st_size:
        return all_skipped(_STORED, "none yet; serve or demo will make it"), None
    schema, sound = _schema(file), ok("database", f"{file} is sound")
    if schema is not None and schema < len(MIGRATIONS):
        older = f"made by an older version (schema {schema} of {len(MIGRATIONS)})"
        restart = "restart the gateway: it brings the database up to date"
        return (warning("database", older, restart), skipped("key", "see database")), None
    try:
        if key_file is None:
            Store(home, MIGRATIONS).close()
            return (sound, skipped("key", "config names no key file")), None
        with Home(home, key_file) as opened:
            records = opened.issuer.list()
    except SecretsError as error:
        return (sound, problem("key", *split(str(error)))), None
    except known_failures() as error:
        return (problem("database", *split(str(error))), skipped("key", "see database")), None
    return (sound, ok("key", f"{home / key_file} fits the database")), records


def _schema(file: Path) -> int | None:
    """Return which version of ours wrote a database; ``None`` if it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            version: int = reader.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        return None
    return version
