"""Where a gateway keeps its things, and how other commands find the one that runs.

In the home of a running gateway lie ``run.json`` (where it listens, which process it is) and, for
``demo`` alone, ``token``. Both are readable by their owner only and go when the gateway goes.
The demo's token opens nothing but an emulated terminal; ``serve`` never writes a token.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from gateway.cli.complaint import Complaint
from gateway.options import Ready

RUN_FILE = "run.json"
TOKEN_FILE = "token"  # noqa: S105 (a file's name)
CONNECT_S = 0.5
"""To see whether a gateway is there."""


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
    """Return the home that is meant where none is named: the default one, or that of the demo
    that runs, where no gateway was ever set up in the default one."""
    home, demo = default_home(), default_demo_home()
    return demo if not is_home(home) and running(demo) else home


def home_option(place: Path) -> str:
    """Return what a command must be told of a home that it would not find by itself."""
    return "" if place == default_home() else f" --home {quote(str(place))}"


def is_home(folder: Path) -> bool:
    """Whether a gateway was set up in a folder: by its first start, or its first token.

    One that we may not look into counts: who goes on with it is told why it cannot be used.
    """
    from gateway.store import DATABASE  # most commands need no database

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
        Complaint: another gateway runs there.

    """
    if other := running(home):
        raise Complaint(
            f"a gateway runs in {home} already (process {other.pid}): "
            "stop it, or give this one another --home"
        )
    file = RunFile(home)
    try:
        yield file
    finally:
        file.remove()


class RunFile:
    """The facts of this process in its home."""

    def __init__(self, home: Path) -> None:
        self._run = home / RUN_FILE
        self._token = home / TOKEN_FILE
        self._written: list[Path] = []

    def write(self, ready: Ready, *, with_token: bool) -> None:
        """Tell other commands where we are; the token only where it is a demo's."""
        if with_token and ready.auth_token is not None:
            self._put(self._token, ready.auth_token)
        url = (ready.rpc or "").removesuffix("/rpc")
        facts = {
            "url": url,
            "bridge": ready.bridge,
            "pid": os.getpid(),
            "console": ready.console,
        }
        self._put(self._run, json.dumps(facts))

    def remove(self) -> None:
        """Take away what we wrote."""
        for path in self._written:
            path.unlink(missing_ok=True)

    def _put(self, path: Path, text: str) -> None:
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
        fresh.replace(path)
        self._written.append(path)


def running(home: Path) -> Running | None:
    """Return the gateway that runs in a home, if one does."""
    try:
        facts = json.loads((home / RUN_FILE).read_text("utf-8"))
        found = Running(
            str(facts["url"]),
            int(facts["pid"]),
            _token_in(home),
            str(facts["bridge"]),
            facts.get("console"),
        )
        address = urlsplit(found.url)
        with socket.create_connection((address.hostname or "", address.port or 0), CONNECT_S):
            return found
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none was started, or it died without taking its file away


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
