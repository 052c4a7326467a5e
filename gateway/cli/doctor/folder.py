"""The home folder: rights, room, database, key, trust in its console.

What is missing or old is left as it is.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from gateway.auth.console_snapshot import ConsoleSource
from gateway.cli.doctor import key, windows
from gateway.cli.doctor.finding import Finding, all_skipped, ok, problem, skipped, split, warning
from gateway.cli.output import known_failures
from gateway.config import Config, ConfigError, Secrets, find, home_file, load, zeros
from gateway.credentials.device import DeviceKey, open_device
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.issuer import recorded
from gateway.credentials.keyset import open_keyset
from gateway.credentials.lease import Lease, open_lease
from gateway.credentials.record import Record, open_record
from gateway.credentials.secret_keys import current_key
from gateway.credentials.secrets import SecretBox, SecretsError
from gateway.home.home import MIGRATIONS
from gateway.home.home_console import HomeConsole, noted_console
from gateway.storage.reserve import was_given_up
from gateway.storage.store import DATABASE, Store

MIN_FREE_BYTES = 100_000_000
_STORED = ("database", "key")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConsoleTrust:
    """Keys, records and leases that a home has from its console."""

    root: str = ""
    """Of the console that it believes, ``mgr1_...``; empty before the first contact."""
    did: str = ""
    """Id of this machine; empty before the first start."""
    device: DeviceKey | None = None
    """``None`` where it cannot be opened."""
    console: HomeConsole | None = None
    """As the home has noted it; ``None`` if it makes its own tokens."""
    records: Mapping[str, Record] = field(default_factory=dict)
    leases: Mapping[str, Lease] = field(default_factory=dict)
    """Both by the token's id, those alone that verify."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Findings in a home folder, and what it holds."""

    findings: tuple[Finding, ...]
    records: tuple[Record, ...] | None = None
    """Of its tokens; ``None`` if they could not be read."""
    trust: ConsoleTrust = field(default_factory=ConsoleTrust)
    """What it has from its console."""


def config(home: Path, named: Path | None) -> tuple[Finding, Config | None]:
    """Read the configuration file, and return what it says; ``None`` if nobody can tell."""
    try:
        file = find(home, named)
        if file is None:
            none = f"no file was named, and {home_file(home)} is not there: the defaults hold"
            return ok("config", none), Config()
        settings = load(file)
    except ConfigError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more)" if others else ""
        return problem("config", first + more, "correct the file, as config.example.toml"), None
    allowing_nothing = [line.partition("; ") for line in zeros(settings)]
    if allowing_nothing:
        told = "; ".join(found for found, _, _ in allowing_nothing)
        remedies = dict.fromkeys(remedy for _, _, remedy in allowing_nothing)
        return warning("config", f"{file}: {told}", "; or ".join(remedies)), settings
    return ok("config", str(file)), settings


def examine(home: Path, settings: Secrets | None, *, will_start: bool = True) -> Folder:
    """Look at a home folder.

    Args:
        home: need not be there.
        settings: where its key lies; ``None`` if the configuration cannot be read.
        will_start: a gateway is to be started there, and will want a key.

    """

    def no_key() -> Finding:
        if settings is None or not will_start:
            return skipped("key", "see config" if settings is None else "see home")
        return key.foresee(settings, home)

    try:
        place = home_folder(home)
        if place.verdict == "problem":
            return Folder((place, *all_skipped(("disk", *_STORED), "see home")))
        if not home.is_dir():
            return Folder((place, *all_skipped(("disk", "database"), "see home"), no_key()))
        space = disk(home)
        stored = database(home, settings, no_key)
    except OSError as error:
        place = problem("home", f"{error.filename}: {error.strerror}", "see that it is yours")
        return Folder((place, *all_skipped(("disk", *_STORED), "see home")))
    return replace(stored, findings=(place, space, *stored.findings))


def home_folder(home: Path) -> Finding:
    """Check that the home folder exists, is ours, and is closed to other users."""
    try:
        found = home.stat()
    except FileNotFoundError:
        return skipped("home", f"{home} is not there yet; serve or demo will make it")
    if not stat.S_ISDIR(found.st_mode):
        return problem("home", f"{home} is no folder", "move it away, or name another --home")
    if os.name != "posix":
        return _listed_access(home, windows.sddl_of)
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


def _listed_access(home: Path, sddl_of: Callable[[Path], str]) -> Finding:
    """Closed to others by its access control list."""
    close = f"run in PowerShell: {windows.closing(home)}"
    try:
        writers, readers = windows.access_of(sddl_of(home))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its access control list is odd"
        return warning("home", f"nobody knows who else may use {home}: {why}", close)
    if writers:
        return problem("home", f"others may write to {home}: {', '.join(writers)}", close)
    if readers:
        return warning("home", f"others may look into {home}: {', '.join(readers)}", close)
    return ok("home", str(home))


def disk(home: Path, min_free_bytes: int = MIN_FREE_BYTES) -> Finding:
    """Room for the database to grow."""
    free = shutil.disk_usage(home).free
    found = f"{free / 1e6:,.0f} MB free where {home} lies"
    if was_given_up(home):
        return problem(
            "disk",
            f"{found}: the gateway's reserve is given up, and nothing new is opened",
            f"make room: {min_free_bytes / 1e6:,.0f} MB are needed",
        )
    if free < min_free_bytes:
        return problem("disk", found, f"make room: {min_free_bytes / 1e6:,.0f} MB are needed")
    return ok("disk", found)


def database(home: Path, settings: Secrets | None, no_key: Callable[[], Finding]) -> Folder:
    """The database and the key to its secrets.

    Opening makes what is missing and brings an old database up to date, so it is not done then.
    """
    file = home / DATABASE
    if not file.exists() or not file.stat().st_size:
        none = skipped("database", "none yet; serve or demo will make it")
        return Folder((none, no_key()))
    schema, sound = _schema(file), ok("database", f"{file} is sound")
    # to open it would bring it up to date under a gateway of the older version
    if schema is not None and schema < len(MIGRATIONS):
        older = f"made by an older version (schema {schema} of {len(MIGRATIONS)})"
        restart = "restart the gateway: it brings the database up to date"
        return Folder((warning("database", older, restart), skipped("key", "see database")))
    try:
        with closing(Store(home, MIGRATIONS)) as store:
            opened = _key(store, settings, home, no_key)
    except known_failures() as error:
        broken = problem("database", *split(str(error)))
        return Folder((broken, skipped("key", "see database")))
    return replace(opened, findings=(sound, *opened.findings))


def _key(
    store: Store, settings: Secrets | None, home: Path, no_key: Callable[[], Finding]
) -> Folder:
    known, now_s = current_key(store), int(time.time())
    if settings is None or known is None:
        return Folder((no_key(),), trust=read_console_trust(store, None, now_s))
    found, box = key.examine(known, settings, home)
    theirs = read_console_trust(store, box, now_s)
    if box is None:
        return Folder((found,), trust=theirs)
    try:
        return Folder((found,), (*recorded(store, box), *theirs.records.values()), theirs)
    except SecretsError as error:
        return Folder((problem("key", *split(str(error))),), trust=theirs)


def _schema(file: Path) -> int | None:
    """Return which version of ours wrote a database; ``None`` if it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            version: int = reader.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        return None
    return version


# --- trust in the console, verified without writing --------------------------------------------


def read_console_trust(store: Store, box: SecretBox | None, now_s: int) -> ConsoleTrust:
    """Read what a home has from its console.

    Args:
        store: of the home.
        box: opens the device's key; ``None`` if it cannot be had.
        now_s: seconds since 1970.

    """
    did, device = _device(store, box)
    source, console = ConsoleSource(store), noted_console(store)
    root, published = source.root(), source.published()
    if root is None:
        return ConsoleTrust(did=did, device=device, console=console)
    try:
        keys = open_keyset(published.key_set, root)
    except EnvelopeError:
        return ConsoleTrust(source.root_text, did, device, console)
    rows = store.all("SELECT tid, lease FROM console_tokens WHERE lease IS NOT NULL")
    record_keys, lease_keys = keys.keys_for("rec", now_s), keys.keys_for("lease", now_s)
    return ConsoleTrust(
        source.root_text,
        did,
        device,
        console,
        _verified(
            {record.tid: record.envelope for record in published.records},
            lambda envelope: open_record(envelope, record_keys),
        ),
        _verified(
            {row["tid"]: row["lease"] for row in rows},
            lambda envelope: open_lease(envelope, lease_keys),
        ),
    )


def _device(store: Store, box: SecretBox | None) -> tuple[str, DeviceKey | None]:
    row = store.one("SELECT did FROM device")
    if row is None:  # opening it would make it
        return "", None
    try:
        return row["did"], None if box is None else open_device(store, box)
    except SecretsError:
        return row["did"], None


def _verified(envelopes: Mapping[str, str], opened: Callable[[str], T]) -> dict[str, T]:
    found = {}
    for tid, envelope in envelopes.items():
        try:
            found[tid] = opened(envelope)
        except EnvelopeError:
            continue
    return found
