"""Campaigns: many seeds that find nothing wrong, and what is done with one that does."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .campaign import Progress

ROOT = Path(__file__).parents[2]
SEEDS, ORDERS, PARTS = 20, 500, 4
SIMULATED = ("gateway", "ea_bridge", "tests/simulation")
LONG_ORDERS = 200_000


def simulation(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the simulation."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def first_seed() -> int:
    """Return a seed of this code's own, so that each change of it sees other runs.

    Not of the commit: the same code merged, rebased or beside another page is judged by the same
    runs.
    """
    files = (path for room in SIMULATED for path in (ROOT / room).rglob("*.py"))
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return int(digest.hexdigest()[:6], 16) * 100


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(300)
def test_seeds_of_this_code_find_nothing_wrong(part: int, tmp_path: Path) -> None:
    """Twenty runs of 500 orders: none is doubled, missing or told wrong."""
    runs = SEEDS // PARTS
    kept = tmp_path / "simulated.json"
    done = simulation(
        *("campaign", "--orders", str(runs * ORDERS), "--each", str(ORDERS)),
        *("--first-seed", str(first_seed() + part * runs), "--progress", str(kept)),
        *("--processes", "1"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    progress = Progress.load(kept)
    assert progress.runs == runs
    assert progress.orders > 0.9 * runs * ORDERS  # those on paper are not among them
    assert progress.kills > runs
    assert progress.faults.total() > runs


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_campaign_goes_on(pytestconfig: pytest.Config) -> None:
    """The runs of all long forms so far are one campaign: it goes on with the next seed."""
    kept = pytestconfig.cache.mkdir("simulation") / "simulated.json"
    before = Progress.load(kept)
    done = simulation("campaign", "--orders", str(LONG_ORDERS), "--progress", str(kept))
    after = Progress.load(kept)
    print(f"{after.since_wrong} orders were simulated since the last wrong one")

    assert done.returncode == 0, done.stdout + done.stderr
    assert after.next_seed > before.next_seed
    assert after.orders >= before.orders + LONG_ORDERS


@pytest.mark.timeout(300)
def test_wrong_run_is_named_and_shrunk(tmp_path: Path) -> None:
    """A product that takes a lost answer for an order that was not sent is found out, with the
    command that repeats it; a shorter one finds the same."""
    mutant = ("--mutant", "lost-answer-is-not-sent")
    kept = tmp_path / "simulated.json"
    done = simulation(
        *("campaign", "--orders", "300", "--each", "300", "--kills-every", "100", *mutant),
        *("--processes", "1", "--progress", str(kept)),
    )

    assert done.returncode == 1, done.stdout + done.stderr
    progress = Progress.load(kept)
    (repeating,) = progress.wrong_commands
    assert f"wrong: {repeating}" in done.stdout
    assert progress.since_wrong == 0

    words = shlex.split(repeating)
    assert words[:3] == ["python", "-m", "tests.simulation"]
    # the run itself, and each share of its orders
    repeated = simulation(*words[3:], "--shorten", "6")
    assert repeated.returncode == 1, repeated.stdout + repeated.stderr
    (found,) = (one for one in repeated.stdout.splitlines() if one.startswith("after "))
    shorter = shlex.split(found.partition(": ")[2])[3:]
    assert int(shorter[shorter.index("--orders") + 1]) < 300
    again = simulation(*shorter, "--json")
    assert again.returncode == 1
    line = json.loads(again.stdout.splitlines()[-1])
    assert line["doubled"] + line["missing"] + line["wrong"] > 0


def test_progress_outlives_its_file(tmp_path: Path) -> None:
    """What is saved is read again whole."""
    progress = Progress(next_seed=7, runs=6, orders=600)
    progress.faults["cut"] += 3
    progress.fail("python -m tests.simulation --seed 6")
    kept = tmp_path / "simulated.json"
    progress.save(kept)

    assert vars(Progress.load(kept)) == vars(progress)
    assert os.listdir(tmp_path) == ["simulated.json"]
