"""A PostgreSQL cluster of the tests' own, in a temporary folder, reached by its socket alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

WITHOUT = "MT_GATEWAY_TESTS_WITHOUT_POSTGRESQL"
"""Set it to leave out the tests on PostgreSQL, knowingly."""
PORT = "5432"
"""Of the socket's name; nothing listens on the network."""
SPEED = (
    *("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=16MB"),
    *("autovacuum=off", "jit=off"),
)


def programs() -> Path:
    """Return the folder of ``initdb`` and ``pg_ctl``; the newest version that is installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    if not versions:
        complaint = f"initdb and pg_ctl are missing; install PostgreSQL or set {WITHOUT}=1"
        (pytest.skip if os.environ.get(WITHOUT) else pytest.fail)(complaint)
    return versions[-1].parent


@contextmanager
def running_cluster() -> Iterator[Path]:
    """Start a cluster and yield the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="mtgw-pg-"))
    server = programs()
    if os.geteuid() == 0:  # which PostgreSQL refuses to run as
        shutil.chown(folder, "postgres", "postgres")

    def run(program: str, *words: str) -> None:
        # it must not keep our pipes open
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            user = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
            done = subprocess.run(
                [*user, str(server / program), "-D", str(folder / "data"), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=False,
            )
        assert done.returncode == 0, Path(log.name).read_text("utf-8")

    options = [f"-c {one}" for one in SPEED]
    options += ["-c listen_addresses=", f"-c unix_socket_directories={folder}", f"-p {PORT}"]
    run("initdb", "-U", "tests", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale")
    run("pg_ctl", "start", "-w", "-s", "-l", str(folder / "log"), "-o", " ".join(options))
    try:
        yield folder
    finally:
        run("pg_ctl", "stop", "-m", "immediate", "-s")
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


def url(folder: Path, database: str) -> str:
    """Return the URL of a database of a cluster."""
    return f"postgresql://tests@/{database}?host={quote(str(folder))}&port={PORT}"
