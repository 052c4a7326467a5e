"""The command ``mt-gateway`` in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_process import ENDS_WITHIN_S, clean_environment
from warm_process import COMMAND, WarmProcess, run_warm

HANGS_AFTER_S = 90.0


@dataclass
class Command:
    """A command that runs until it is told to stop."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    log: Path

    def end(self, number: int = signal.SIGTERM) -> None:
        """Tell it to stop. It ends with exit code 0."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=ENDS_WITHIN_S)
        assert rest == "", "stdout carries one line only"
        assert self.process.returncode == 0, self.log.read_text()


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
        assert line, f"it did not start:\n{log.read_text()}"
        yield Command(process, json.loads(line), log)
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=ENDS_WITHIN_S)
    finally:
        gives_up.cancel()
        process.kill()
        process.communicate()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return run_warm(*arguments, env=clean_environment() | environment, timeout_s=HANGS_AFTER_S)


def create_token(home: Path, name: str, *options: str) -> str:
    """Make a token in a process of its own, as a person does."""
    done = run("token", "create", "--name", name, "--home", os.fspath(home), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
