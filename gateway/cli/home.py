"""Homes of gateways: their folders and files, and the choice of the one that a command means.

One rule for all commands: what was named, by ``--url`` or ``--home``; or ``MT_GATEWAY_URL``; or
the gateway of the default home, and of the demo where none was ever set up in that. What happens
to run decides nothing: else a command would reach another gateway as soon as one has ended.

In the home of a running gateway lie ``run.json`` (where it listens, which process it is) and, for
``demo`` alone, ``token``. Both are readable by their owner only and go when the gateway goes. The
process holds a lock in its home, so that one that was killed is not taken for another program
that has its port now. The demo's token opens nothing but an emulated terminal; ``serve`` never
writes a token.
"""

from __future__ import annotations

import json  # not orjson: that loads json as well, and a look must start fast
import os
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from ea_bridge import host
from gateway.cli.output import CliError, shell_word
from gateway.storage.reserve import give_up, is_full

if TYPE_CHECKING:
    from gateway.options import Ready
from contextlib import closing

URL = "MT_GATEWAY_URL"
RUN_FILE = "run.json"
TOKEN_FILE = "token"  # noqa: S105 (a file's name)
LOCK_FILE = "run.lock"
LOOKED_AT_S = 1.0
"""For commands that look whether the lock is held: they hold a share of it for a moment."""
CONNECT_S = 0.5
"""To see whether a gateway is there."""


_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that runs, as its home tells."""

    url: str
    pid: int
    auth_token: str | None = field(repr=False)
    bridge: str
    """``host:port``, where EAs dial in."""
    console: str | None = None
    """From where it takes its tokens, if not from itself."""
    kind: str = "serve"
    """The command that runs it, or ``demo``."""

    def __str__(self) -> str:
        """What it is to a person."""
        return f"{self.kind} on port {urlsplit(self.url).port} (process {self.pid})"


def default_home() -> Path:
    """Return where ``serve`` lives unless told otherwise: ``MT_GATEWAY_HOME``, or the place that
    the system has for programs' data."""
    if named := os.environ.get("MT_GATEWAY_HOME"):
        return Path(named)
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "mt-gateway"


def default_demo_home() -> Path:
    """Return where ``demo`` lives unless told otherwise: beside the real one, never in it."""
    return default_home() / "demo"


def home_in_use() -> Path:
    """Return the home that is meant where none is named.

    Raises:
        CliError: ``MT_GATEWAY_URL`` names a gateway that runs in no home that is known here.

    """
    if url := os.environ.get(URL):
        return home_at(url, URL)
    home, demo = default_home(), default_demo_home()
    # a demo that runs never hides a real home: a halt would reach the wrong one
    return demo if not is_home(home) and running(demo) else home


def home_at(url: str, named_by: str) -> Path:
    """Return the home of the gateway that has a URL.

    Raises:
        CliError: it is none of the two that are known without ``--home``.

    """
    for home, found in known():
        if is_same(url, found.url):
            return home
    raise CliError(
        f"{named_by} names {url}, and no gateway of a home that is known here runs there: give "
        "its --home; of one elsewhere new orders are stopped by: mt-gateway call "
        "set_trading_enabled enabled=false"
    )


def known() -> Iterator[tuple[Path, Running]]:
    """Yield the gateways that run in the default homes."""
    for home in (default_home(), default_demo_home()):
        if found := running(home):
            yield home, found


def is_same(url: str, other: str) -> bool:
    """Whether two URLs lead to one gateway of this machine, whatever its loopback is called."""
    try:
        one, two = urlsplit(url), urlsplit(other)
        return one.port == two.port and {one.hostname, two.hostname} <= _LOOPBACK
    except ValueError:
        return False


def home_option(place: Path) -> str:
    """Return what a command must be told of a home that it would not find by itself."""
    return "" if place == default_home() else f" --home {shell_word(str(place))}"


def is_home(folder: Path) -> bool:
    """Whether a gateway was set up in a folder: by its first start, or its first token.

    One that we may not look into counts: who goes on with it is told why it cannot be used.
    """
    from gateway.storage.store import DATABASE  # most commands need no database

    try:
        return (folder / DATABASE).exists()
    except OSError:
        return True


def default_console_home() -> Path:
    """Return where ``console`` lives unless told otherwise: its secrets are not the daemon's."""
    return default_home() / "console"


def own_folder(home: Path) -> Path:
    """Return a default home within that of ``serve``, which is made first if it is not there.

    It is made for its owner alone, as ``serve`` would: ``mkdir`` gives that mode to the last
    folder only. What stands in the way is told by who opens the home.
    """
    with suppress(OSError):
        home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


@contextmanager
def demo_home(asked: Path | None) -> Iterator[Path]:
    """Yield the home of a demo: the one asked for, or the default one.

    A second demo, or one that may not write there, gets a temporary home that goes with it.
    """
    if asked is not None:
        yield asked
        return
    home = own_folder(default_demo_home())
    if running(home) is None and _writable(home):
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="mt-gateway-demo-") as temporary:
        yield Path(temporary)


@contextmanager
def run_file(home: Path) -> Iterator[RunFile]:
    """Yield what writes the home's ``run.json``; it is removed at the end.

    Raises:
        CliError: another gateway runs there.

    """
    if other := running(home):
        raise CliError(
            f"a gateway runs in {home} already (process {other.pid}): "
            "stop it, or give this one another --home"
        )
    file = RunFile(home)
    file.tidy()
    try:
        yield file
    finally:
        file.remove()


class RunFile:
    """The facts of this process in its home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._run = home / RUN_FILE
        self._token = home / TOKEN_FILE
        self._written: list[Path] = []
        self._lock: RunLock | None = None

    def write(self, ready: Ready, kind: Literal["serve", "demo"]) -> None:
        """Tell other commands where we are; the token only where it is a demo's."""
        if kind == "demo" and ready.auth_token is not None:
            self._put(self._token, ready.auth_token)
        url = (ready.rpc or "").removesuffix("/rpc")
        facts = {
            "url": url,
            "bridge": ready.bridge,
            "pid": os.getpid(),
            "console": ready.console,
            "kind": kind,
        }
        try:
            # before run.json: without a lock that counts as left by a gateway that was killed
            self._lock = RunLock(self._home)
        except sqlite3.Error as error:
            raise CliError(
                f"{self._home}: another gateway runs there, or it cannot be locked: {error}"
            ) from error
        self._put(self._run, json.dumps(facts))

    def tidy(self) -> None:
        """Take away what gateways that were killed have left half written."""
        for path in (self._run, self._token):
            for left in path.parent.glob(f"{path.name}.*"):
                # a process's id: other files that begin alike are somebody's own
                if left.suffix[1:].isdigit():
                    with suppress(OSError):
                        left.unlink()

    def remove(self) -> None:
        """Take away what we wrote."""
        for path in self._written:
            path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.let_go()

    def _put(self, path: Path, text: str) -> None:
        try:
            _replace(path, text)
        except OSError as error:
            # the reserve is room enough: a full disk must not keep a gateway from closing
            if not (is_full(error, path.parent) and give_up(path.parent)):
                raise OSError(error.errno, error.strerror, str(path)) from error
            _replace(path, text)
        self._written.append(path)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        # 0600 from the first moment: open() alone gives it the rights of the umask
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
        # renamed: who reads meanwhile finds all of it, or nothing
        host.replace_file(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def running(home: Path) -> Running | None:
    """Return the gateway that runs in a home, if one does."""
    try:
        if not is_locked(home):
            # asked before the file is read: pid and port may be another program's by now
            return None  # it died without taking its file away; another may have its port now
        facts = json.loads((home / RUN_FILE).read_text("utf-8"))
        found = Running(
            str(facts["url"]),
            int(facts["pid"]),
            _token_in(home),
            str(facts["bridge"]),
            facts.get("console"),
            str(facts["kind"]),
        )
        address = urlsplit(found.url)
        # the lock says that it lives, the port that it listens: it may be ending
        with socket.create_connection((address.hostname or "", address.port or 0), CONNECT_S):
            return found
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none was started, or it is ending


def _token_in(home: Path) -> str | None:
    try:
        return (home / TOKEN_FILE).read_text("ascii").strip()
    except OSError:
        return None


def _writable(home: Path) -> bool:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(home, os.W_OK | os.X_OK)


class RunLock:
    """Lock that a gateway holds in its home while it runs; it goes with the process.

    It is SQLite's own, as that of :mod:`gateway.home.home`: it works alike on all systems.

    Args:
        home: the folder; must be there.

    Raises:
        sqlite3.Error: another process holds it, or it cannot be locked.

    """

    def __init__(self, home: Path) -> None:
        path = home / LOCK_FILE
        with suppress(FileExistsError):  # never opened otherwise: closing would drop the lock
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        self._lock = sqlite3.connect(path, timeout=LOOKED_AT_S, isolation_level=None)
        try:
            self._lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            self._lock.close()
            raise

    def let_go(self) -> None:
        """End the hold; the file stays, since another may be about to lock it."""
        self._lock.close()


def is_locked(home: Path) -> bool:
    """Whether a gateway runs in a home. Where nobody can tell it counts as running."""
    path = home / LOCK_FILE
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as probe:
            # a share of the lock: other commands may look at the same time
            probe.execute("BEGIN")
            probe.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except sqlite3.Error:
        return True
    return False
