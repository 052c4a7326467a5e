"""Simulated runs as a whole: the command, and its last line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run(*words: str) -> dict[str, Any]:
    """Make a run that finds nothing wrong; return its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


def test_a_run_with_kills_finds_nothing_wrong() -> None:
    """Every order has its end, though daemon and terminals died and links were cut."""
    line = run("--seed", "7", "--orders", "100", "--kills-every", "20")

    assert (line["seed"], line["orders"]) == (7, 100)
    assert line["kills"] > 3
    assert line["faults"] > 5
    assert (line["doubled"], line["missing"], line["wrong"], line["unknown"]) == (0, 0, 0, 0)


def test_the_same_seed_makes_the_same_run() -> None:
    """In another process, to the last byte on the network and on the disk."""
    words = ("--seed", "9", "--orders", "80", "--kills-every", "20")

    assert run(*words) == run(*words)


def test_half_open_links_are_found_out() -> None:
    """Where nobody is told that a link is gone, daemon and terminal find out by the silence."""
    line = run("--seed=10", "--orders=80", "--kills-every=1000", "--faults=link half open")

    assert line["faults"] > 5
    assert (line["doubled"], line["missing"], line["wrong"], line["unknown"]) == (0, 0, 0, 0)
