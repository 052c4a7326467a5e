"""Rules of where a command writes: whatever its output is, it does what it was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from demo_process import clean_environment

from gateway.home.home import Home

COMMAND = (sys.executable, "-m", "gateway")
FULL = Path("/dev/full")
posix = pytest.mark.skipif(sys.platform == "win32", reason="files are closed by a shell of POSIX")


def through(shell: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command by a shell that does something with its output."""
    return subprocess.run(
        ("sh", "-c", f'exec "$@" {shell}', "sh", *COMMAND, *words),
        env=clean_environment() | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )


@posix
def test_a_closed_output_is_no_failure(tmp_path: Path) -> None:
    done = through(">&-", "notify", "list", "--home", str(tmp_path / "none"))
    assert "Traceback" not in done.stderr
    assert through(">&-", "openrpc").returncode == 0


@pytest.mark.skipif(not FULL.exists(), reason="Linux has it")
def test_a_full_output_is_told() -> None:
    """In a line, and by the exit code."""
    done = through(">/dev/full", "openrpc")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left" in done.stderr


@posix
def test_what_the_encoding_lacks_is_written_by_its_number(tmp_path: Path) -> None:
    """The account of a Russian broker does not end a command that has done its work."""
    home = tmp_path / "home"
    Home(home).close()
    halted = through("", "halt", "--reason", "Привет", "--home", str(home))
    assert "\\u041f" in halted.stdout
    assert "Traceback" not in halted.stderr
