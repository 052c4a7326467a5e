"""A daemon and an emulated terminal, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.cli.complaint import Complaint

READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 5.0


@contextmanager
def scene(folder: Path, *, journal: bool) -> Iterator[dict[str, Any]]:
    """Run both while the context lasts.

    Args:
        folder: the daemon's home.
        journal: whether its orders are journaled.

    Yields:
        What the daemon says of itself: ``rpc``, ``auth_token`` and so on; and its ``pid``.

    Raises:
        Complaint: one of them does not start.

    """
    bare = () if journal else ("--without-journal",)
    with _running(("bench", "daemon", "--home", str(folder), *bare)) as daemon:
        # its market flows at a tenth of the pace: what is measured are orders, not ticks
        terminal = ("emulator", "--bridge", daemon["bridge"], "--netting", "--speed", "0.1")
        with _running((*terminal, "--json"), MT_GATEWAY_TOKEN=daemon["auth_token"]):
            yield daemon


def cpu_s(pid: int) -> float | None:
    """Return how long a process has computed so far; ``None`` where the system does not tell."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return None
    user, system = told.rpartition(")")[2].split()[11:13]  # its name may hold spaces
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _running(arguments: tuple[str, ...], **environment: str) -> Iterator[dict[str, Any]]:
    """Run a command until it is ready, and no longer than the context."""
    process = subprocess.Popen(  # noqa: S603  # this program itself
        (sys.executable, "-m", "gateway", *arguments),
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
    )
    gives_up = threading.Timer(READY_WITHIN_S, process.kill)
    gives_up.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        gives_up.cancel()
        if not line:
            raise Complaint(f"mt-gateway {arguments[0]} did not start; its complaint stands above")
        yield {**json.loads(line), "pid": process.pid}
    finally:
        gives_up.cancel()
        process.terminate()
        try:
            process.communicate(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
