"""Processes of a bench: run until they are ready, and what they compute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.cli.output import CliError

READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 5.0


def cpu_s(pid: int) -> float | None:
    """Return how long a process has computed so far; ``None`` where the system does not tell."""
    # Wine shows its programs the /proc of Linux, whose process ids are not theirs
    if sys.platform == "win32":
        return None
    try:
        told = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return None
    user, system = told.rpartition(")")[2].split()[11:13]  # its name may hold spaces
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(arguments: tuple[str, ...], **environment: str) -> Iterator[dict[str, Any]]:
    """Run a command until it is ready, and no longer than the context."""
    process = subprocess.Popen(  # noqa: S603  # this program itself
        (sys.executable, "-m", "gateway", *arguments),
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
    )
    # readline has no time-out: a process that never gets ready is killed, and it returns
    gives_up = threading.Timer(READY_WITHIN_S, process.kill)
    gives_up.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        gives_up.cancel()
        if not line:
            raise CliError(f"mt-gateway {arguments[0]} did not start; its complaint stands above")
        yield {**json.loads(line), "pid": process.pid}
    finally:
        gives_up.cancel()
        process.terminate()
        try:
            # read to the end: a full pipe would keep it from ending
            process.communicate(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def percentile(taken: Sequence[float], of: float) -> float:
    """Return the value that so many percent of the others do not exceed (nearest rank)."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of / 100))]
