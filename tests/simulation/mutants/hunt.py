"""Running the simulation over a mutant until a judgement catches it, or the orders run out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .mutation import ROOT, Mutant

AT_ONCE = 2
TIMEOUT_S = 900.0
"""A run that takes longer hangs."""
KILLS_EVERY = 110
"""Orders."""
JUDGEMENTS = ("doubled", "missing", "wrong", "broken", "unresolved", "lost")
"""What a run says of anything that is wrong begins with one of them and a colon."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the simulation, over."""

    exit_code: int
    verdict: dict[str, Any]
    """The last line that it printed; empty where that was no verdict."""
    said: str
    """All that it printed."""


@dataclass(frozen=True, slots=True)
class Catch:
    """What became of one mutant.

    Attributes:
        mutant: the one.
        by: the judgements that caught it; empty where none did.
        orders: how many were simulated by then.
        seed: that of the last run.
        told: of what was found, a line.

    """

    mutant: Mutant
    by: str
    orders: int
    seed: int
    told: str = ""


Simulate = Callable[[Sequence[str]], Run]


def simulate(words: Sequence[str]) -> Run:
    """Run the simulation in a process of its own."""
    whole = (*words, "--kills-every", str(KILLS_EVERY), "--shorten", "0")
    command = [sys.executable, "-m", "tests.simulation", *whole]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return Run(-1, {}, "it did not end")
    return Run(done.returncode, _verdict(done.stdout), done.stdout + done.stderr)


def _verdict(output: str) -> dict[str, Any]:
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "orders" in found else {}


def judged(run: Run) -> tuple[str, str]:
    """Return which judgements a run has failed by, and a line of what it said; empty if none."""
    if run.exit_code == 0:
        return "", ""
    lines = run.said.strip().splitlines()
    found: dict[str, str] = {}
    for line in lines:
        kind, *rest = line.split(": ")
        if kind in JUDGEMENTS:
            found.setdefault(rest[0] if kind == "broken" else kind, line)
    if not found:
        return "", f"it did not end in order: {lines[-1] if lines else run.exit_code}"
    return ", ".join(found), next(iter(found.values()))


def hunt(mutant: Mutant, *, orders: int, seeds: Iterable[int], run: Simulate = simulate) -> Catch:
    """Simulate a mutant, seed after seed, until it is caught.

    What happens in a run is drawn from its seed. Where certain faults lead to a mutant, they are
    what happens in every second run, so that fewer do; a terminal whose bots lead there is in all.
    """
    total, seed, told = 0, 0, ""
    for n, seed in enumerate(seeds):
        leading = ("--faults", ",".join(mutant.led_by)) if mutant.led_by and n % 2 else ()
        where = ("--lone", mutant.lone) if mutant.lone else ()
        words = ("--mutant", mutant.name, *leading, *where)
        done = run((*words, "--seed", str(seed), "--orders", str(orders)))
        total += int(done.verdict.get("orders", orders))
        by, told = judged(done)
        if by:
            return Catch(mutant, by, total, seed, told)
    return Catch(mutant, "", total, seed, told)


def control(*, orders: int, seeds: Iterable[int], run: Simulate = simulate) -> str:
    """Simulate the product as it is; return what is wrong with it, which no mutant must be
    credited with."""
    for seed in seeds:
        by, told = judged(run(("--seed", str(seed), "--orders", str(orders))))
        if by or told:
            return f"seed {seed} without any mutant: {told}"
    return ""


def hunt_all(
    mutants: Iterable[Mutant], *, orders: int, seeds: Sequence[int], run: Simulate = simulate
) -> Iterator[Catch]:
    """Hunt all of them, two at a time; yield each in its turn."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda one: hunt(one, orders=orders, seeds=seeds, run=run), mutants)


def row(catch: Catch) -> str:
    """Return a mutant's line of the table."""
    by = f"caught by {catch.by}" if catch.by else "SURVIVED"
    return f"{catch.mutant.name:32} {by:40} {catch.orders:7} orders, seed {catch.seed}"
