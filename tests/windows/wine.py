"""Wine: programs of Windows on Linux.

Three things are Wine's: standard streams must be pipes, a locked file of SQLite costs a descriptor
at each look, and a process that hangs is ended by ending all of them (``wineserver -k``). Some
outlive even that: Wine's server gives its lock back and goes on with them, so that nobody finds it
any more, and they hold their files and streams for ever. Those are killed one by one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from external_programs import needed

QUIET = {
    "WINEDEBUG": "-all",
    "WINEARCH": "win64",
    # neither .NET nor a browser, and no debugger that waits for a person
    "WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe=",
}

LOOK_S = 5.0
"""How often a program that runs is looked at."""


@dataclass(frozen=True)
class Done:
    """How a program ended, and all that it said."""

    returncode: int
    said: str
    complained: str


@dataclass(frozen=True)
class Wine:
    """A Windows of its own: drive C and registry lie in a folder."""

    prefix: Path

    @property
    def drive(self) -> Path:
        """The drive C."""
        return self.prefix / "drive_c"

    @property
    def user(self) -> Path:
        """The folder of the user."""
        return next(path for path in (self.drive / "users").iterdir() if path.name != "Public")

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a program of Wine is started with."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("MT_GATEWAY_", "PYT"))}
        return {**plain, **QUIET, "WINEPREFIX": str(self.prefix), **(more or {})}

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[str]:
        """Start a program of Windows."""
        allow_many_files()
        return subprocess.Popen(
            (needed("wine"), *words),
            cwd=cwd or self.drive,
            env=self.environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )

    def run(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 180,
        is_last: bool = False,
        progress: Callable[[], object] = lambda: None,
    ) -> Done:
        """Run a program of Windows to its end; one that hangs is ended, with all others here.

        Args:
            words: the program and its arguments.
            env: more variables than those of all.
            cwd: the drive C if absent.
            timeout: seconds until it counts as one that hangs, if nothing goes on meanwhile.
            is_last: what outlives it, and keeps its streams, is not waited for but ended.
            progress: what it returns changes as long as the program goes on.

        """
        process = self.start(*words, env=env, cwd=cwd)
        seen, last_moment = progress(), time.monotonic() + timeout
        while True:
            try:
                said, complained = process.communicate(timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                if progress() != seen:
                    seen, last_moment = progress(), time.monotonic() + timeout
                if (is_last and process.poll() is not None) or time.monotonic() > last_moment:
                    self.end()
            else:
                return Done(process.returncode, said, complained)

    def end(self) -> None:
        """End whatever runs here."""
        # 1 if nothing did
        subprocess.run((needed("wineserver"), "-k"), env=self.environment(), check=False)
        self.wait()
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def left(self) -> Iterator[int]:
        """Yield the processes of this Windows that run: they have its prefix from their start."""
        mark = f"WINEPREFIX={self.prefix}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            # it has ended, or is another user's
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    yield int(process.name)

    def wait(self) -> None:
        """Wait until nothing runs here: an uninstaller goes on after its first process."""
        subprocess.run((needed("wineserver"), "-w"), env=self.environment(), check=True)


def allow_many_files() -> None:
    """Raise this process's limit of descriptors, and that of what it starts, as far as it may."""
    import resource  # Windows has none, and collects these tests as well

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
