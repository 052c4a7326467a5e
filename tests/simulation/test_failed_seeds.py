"""Seeds that have failed find nothing wrong any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .failed_seeds import FAILED_SEEDS

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "command", [pytest.param(one.command, id=one.name) for one in FAILED_SEEDS]
)
def test_a_seed_that_has_failed_finds_nothing_wrong(command: str) -> None:
    """What it found is mended, and nothing else is wrong in its run."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_says_what_was_wrong_and_what_mended_it() -> None:
    """Once each, in sentences; what mended it is the subject of a commit."""
    commands = [one.command for one in FAILED_SEEDS]
    assert len(set(commands)) == len(commands)
    for one in FAILED_SEEDS:
        assert one.wrong.endswith(".")
        assert 0 < len(one.mended) <= 72
