"""How a long-running command ends."""

from __future__ import annotations

import signal
import subprocess
import sys

from demo_process import ENDS_WITHIN_S

from gateway.cli.process import CUT_SHORT

PROGRAM = """
import asyncio, time
from gateway.cli import process
from gateway.cli.process import run_until_stopped

process.STOP_WITHIN_S = 0.1

async def stubborn():
    print("ready", flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("no", flush=True)

def slow():
    print("ready", flush=True)
    time.sleep(60)

run_until_stopped({start}, verbose=False)
"""


def ended(start: str) -> tuple[int, str]:
    """Run a program of that kind, stop it, return its exit code and what it logged."""
    with subprocess.Popen(
        (sys.executable, "-c", PROGRAM.format(start=start)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    return process.returncode, err


def test_a_signal_before_the_loop_runs() -> None:
    """Nothing has begun that needs an end: exit code 0, and no traceback."""
    assert ended("slow") == (0, "")


def test_what_does_not_end_is_cut() -> None:
    """The exit code and the log say that it was not in order."""
    code, err = ended("stubborn")
    assert code == CUT_SHORT
    assert "cut short" in err
    assert "Traceback" not in err
