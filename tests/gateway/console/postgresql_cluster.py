"""A PostgreSQL cluster of the tests' own, in a temporary folder, reached by its socket alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from external_programs import postgresql

PORT = "5432"
"""Of the socket's name; nothing listens on the network."""
SPEED = (
    *("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=16MB"),
    *("autovacuum=off", "jit=off"),
)


@contextmanager
def running_cluster() -> Iterator[Path]:
    """Start a cluster and yield the folder of its socket."""
    if sys.platform == "win32":
        pytest.skip("its server is reached by a Unix socket, and run by another user than root")
    server = postgresql()
    user = _as_user(server)
    folder = Path(tempfile.mkdtemp(prefix="mtgw-pg-"))
    if user:
        shutil.chown(folder, user[2])

    def run(program: str, *words: str) -> None:
        # it must not keep our pipes open
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            done = subprocess.run(
                [*user, str(server / program), "-D", str(folder / "data"), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=False,
            )
        assert done.returncode == 0, Path(log.name).read_text("utf-8")

    options = [f"-c {setting}" for setting in SPEED]
    options += ["-c listen_addresses=", f"-c unix_socket_directories={folder}", f"-p {PORT}"]
    run("initdb", "-U", "tests", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale")
    run("pg_ctl", "start", "-w", "-s", "-l", str(folder / "log"), "-o", " ".join(options))
    try:
        yield folder
    finally:
        run("pg_ctl", "stop", "-m", "immediate", "-s")
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


def _as_user(server: Path) -> tuple[str, ...]:
    """Return the words that run a command as a user that PostgreSQL takes: it refuses root."""
    if os.geteuid() != 0:
        return ()
    import pwd  # Windows has none, and imports this file as well

    names = {entry.pw_name for entry in pwd.getpwall()}
    words = ("runuser", "-u", "postgres" if "postgres" in names else "nobody", "--")
    # an environment below /root is closed to everybody else
    if subprocess.run((*words, "test", "-x", server / "initdb"), check=False).returncode:
        pytest.skip(f"PostgreSQL does not run as root, and {words[2]} may not read {server}")
    return words


def url(folder: Path, database: str) -> str:
    """Return the URL of a database of a cluster."""
    return f"postgresql://tests@/{database}?host={quote(str(folder))}&port={PORT}"
