"""Simulated days as a whole: the command, and its last line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .product_faults import FAULTS

ROOT = Path(__file__).parents[3]
INCIDENTS = 14
"""Kinds of them."""
LONG_SEEDS = (1, 2, 5)
"""Of an ordinary weekend, and of those of autumn and spring."""
LONG_DAYS = 4.0
TOUR = ("--seed", "1", "--days", "0.5", "--pause", "150", "--tour")
FAULT_RUNS = {
    "a lease lasts for ever": TOUR,
    "an old key is forgotten": TOUR,
    "a day begins at midnight of UTC": ("--seed", "3", "--days", "0.1", "--pause", "700"),
}
"""Runs in which the faults of the product show."""
MUST_BE_REACHED = (
    "broker's clocks changed",
    "checkpoints",
    "leases renewed",
    "machines approved",
    "max_daily_loss refused",
    "max_daily_loss renewed",
    "max_orders_per_day refused",
    "max_orders_per_day renewed",
    "records of old keys verified",
    "records of removed keys refused",
    "refused as expired",
    "refused as lease_expired",
    "refused as revoked",
    "refused as the market is closed",
    "trail archived",
    "trail verified",
    "weekends passed",
)
"""By the runs of a long form together."""


def simulated(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "days", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def run(*words: str) -> dict[str, Any]:
    """Make a run that finds nothing wrong; return its last line."""
    done = simulated(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


@pytest.mark.timeout(120)
def test_each_incident_of_some_hours_is_survived() -> None:
    """Each kind of incident once: leases lapse meanwhile, and the trail is archived and whole."""
    line = run(*TOUR)

    reached = line["reached"]
    assert len(set(line["incidents"]) - {"console was away"}) == INCIDENTS
    assert reached["leases renewed"] > 20
    assert reached["refused as lease_expired"] > 0
    assert reached["records of old keys verified"] + reached["records of removed keys refused"] > 0
    assert min(reached["trail archived"], reached["trail verified"], reached["checkpoints"]) > 1


@pytest.mark.long
@pytest.mark.timeout(120)
def test_the_same_seed_makes_the_same_days() -> None:
    """In another process, to the last byte on the network and on the disk."""
    first, second = (run("--seed", "5", "--days", "0.02", "--pause", "100") for _ in range(2))

    for line in (first, second):
        del line["cpu_s"], line["growth"]
    assert first["trace"] == second["trace"]
    assert first == second


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_the_product_is_found(name: str) -> None:
    """By what the rule that it breaks says."""
    done = simulated(*FAULT_RUNS[name], "--fault", name)

    assert done.returncode == 1, done.stdout + done.stderr
    assert FAULTS[name][-1] in done.stdout


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_four_days_with_a_weekend() -> None:
    """Thursday to Monday, at an ordinary weekend and at those at which the broker puts its clock
    on and back: rights, limits, the trail and the keys are as they should, and nothing grows."""
    reached: Counter[str] = Counter()
    for seed in LONG_SEEDS:
        line = run("--seed", str(seed), "--days", str(LONG_DAYS))
        assert line["days"] >= LONG_DAYS
        reached.update(line["reached"])

    assert [name for name in MUST_BE_REACHED if not reached[name]] == []
