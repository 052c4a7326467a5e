"""The command ``mt-gateway`` in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_process import clean_environment
from warm_process import COMMAND, WarmProcess, run_warm

STARTS_WITHIN_S = 10.0
"""Three seconds are promised; this is for a machine that is busy with other tests."""
HANGS_AFTER_S = 90.0
ENDS_WITHIN_S = 2.0
SLACK_S = 3.0
"""For a busy machine."""


@dataclass
class Command:
    """A command that runs until it is told to stop."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    log: Path
    started_s: float
    """How long it took until it was ready, without what others had the processors meanwhile."""

    def end(self, number: int = signal.SIGTERM) -> float:
        """Tell it to stop; return how long it took. It ends with exit code 0."""
        begun = time.monotonic()
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=ENDS_WITHIN_S + SLACK_S)
        assert rest == "", "stdout carries one line only"
        assert self.process.returncode == 0, self.log.read_text()
        return time.monotonic() - begun


@contextmanager
def running(
    log: Path,
    *arguments: str,
    kind: type[subprocess.Popen[Any]] = WarmProcess,
    **environment: str,
) -> Iterator[Command]:
    """Run a command with ``--json`` until it is ready, and no longer than the block.

    The ``kind`` of process ``subprocess.Popen`` starts as a person's command does.
    """
    begun = time.monotonic()
    with log.open("w") as stderr:
        process = kind(
            (*COMMAND, *arguments, "--json"),
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=clean_environment() | environment,
            text=True,
        )
    gives_up = threading.Timer(HANGS_AFTER_S, process.kill)
    gives_up.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        gives_up.cancel()
        took = time.monotonic() - begun - starved_s(process.pid)
        assert line, f"it did not start:\n{log.read_text()}"
        yield Command(process, json.loads(line), log, took)
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=ENDS_WITHIN_S + SLACK_S)
    finally:
        gives_up.cancel()
        process.kill()
        process.communicate()


def starved_s(pid: int) -> float:
    """For how long a process could have run, but no processor was free; 0 if nobody says."""
    file = Path("/proc") / str(pid) / "schedstat"
    return int(file.read_text().split()[1]) / 1e9 if file.exists() else 0.0


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return run_warm(*arguments, env=clean_environment() | environment, timeout_s=HANGS_AFTER_S)


def create_token(home: Path, name: str, *options: str) -> str:
    """Make a token in a process of its own, as a person does."""
    done = run("token", "create", "--name", name, "--home", os.fspath(home), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
