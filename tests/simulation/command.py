"""Command line of the simulation: what it takes, and what it says."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .world import Options, World, simulate

MEMORY = Path("/dev/shm")  # noqa: S108  # only a folder of our own in it, by mkdtemp
SHOWN = 20
"""Of what was wrong; the rest is like it."""


@dataclass(kw_only=True)
class Counts:
    """What is added up over runs.

    Attributes:
        cpu_s: time of the processor that it took, in seconds.
        simulated_s: time that passed in it, in seconds.
        why_unknown: why something was unknown to the last, and how often.
        faults: how often each happened.
        deaths: of the daemon, by the point at which it died.
        reached: how often each point of :mod:`sometimes` was reached.

    """

    cpu_s: float = 0.0
    simulated_s: float = 0.0
    why_unknown: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Add those of another run."""
        for one in fields(Counts):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(kw_only=True)
class Report(Counts):
    """What a run has shown.

    Attributes:
        line: the last line of its output.
        said: what was wrong or unknown to the last, each in words.
        summary: of the run, in words.
        resolved_s: how long each outcome that was unknown for a time stayed so.

    """

    line: dict[str, Any]
    said: list[str]
    summary: str
    resolved_s: list[float] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Nothing is doubled, missing or wrong."""
        return not any(self.line[name] for name in ("doubled", "missing", "wrong"))


def run_here(options: Options) -> Report:
    """Make a run in this process, which is good for no other run afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None))
    begun_s = time.process_time()
    try:
        world = simulate(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _report(world, time.process_time() - begun_s)


def command_of(options: Options) -> list[str]:
    """Return the arguments that repeat a run."""
    words = ["--seed", str(options.seed), "--orders", str(options.orders)]
    if options.kills_every:
        words += ["--kills-every", str(options.kills_every)]
    if options.faults is not None:
        words += ["--faults", ",".join(sorted(options.faults)) or "none"]
    if options.lone:
        words += ["--lone", options.lone]
    if options.mutant:
        words += ["--mutant", options.mutant]
    return words


def repeating(options: Options) -> str:
    """Return the command that repeats a run."""
    return shlex.join(["python", "-m", "tests.simulation", *command_of(options)])


def how_to_repeat(options: Options) -> str:
    """Return what is said of a run that was wrong: how to repeat it, and how to shorten it."""
    shorter = shlex.join(["python", "-m", "tests.simulation", "shrink", *command_of(options)])
    return f"wrong: {repeating(options)}\nfor a shorter one: {shorter}"


def print_shorter(options: Options, tries: int) -> None:
    """Look for a shorter run that is wrong as well, so often, and print its command.

    In other processes, since this one is good for no more runs.
    """
    words = ["-m", __package__ or "", "shrink", *command_of(options), "--tries", str(tries)]
    subprocess.run([sys.executable, *words], check=False)  # this program again


def main() -> None:
    """Make one run, and end with the exit code."""
    arguments = parser().parse_args()
    options = options_of(arguments)
    report = run_here(options)
    if not arguments.json:
        print("\n".join(report.said[:SHOWN]), end="\n" * bool(report.said))
        if not report.is_right:
            print(f"wrong: {repeating(options)}", flush=True)
            if arguments.shorten:
                print_shorter(options, arguments.shorten)
        print(report.summary)
    print(json.dumps(report.line))
    sys.stdout.flush()
    # what the dead have left is nobody's: it is not to be taken apart
    os._exit(0 if report.is_right else 1)


def options_of(arguments: argparse.Namespace) -> Options:
    """Return the options that a command line means."""
    faults = arguments.faults
    named = None if faults is None else frozenset(faults.split(",")) - {"none"}
    return Options(
        arguments.seed,
        arguments.orders,
        arguments.kills_every,
        named,
        log=arguments.log,
        mutant=arguments.mutant or "",
        lone=arguments.lone,
    )


def _report(world: World, cpu_s: float) -> Report:
    run, verdict = world.run, world.run.verdict
    kinds = ("doubled", "missing", "wrong", "broken", "unresolved", "lost")
    simulated_s = world.loop.now - 1000
    each = 1000 * cpu_s / max(verdict.orders, 1)
    return Report(
        line=_line_of(world),
        said=[f"{kind}: {one}" for kind in kinds for one in getattr(verdict, kind)],
        summary=f"{verdict}\n{run.figures}\n"
        f"{each:.2f} ms CPU an order, {simulated_s:.0f} s simulated",
        cpu_s=cpu_s,
        simulated_s=simulated_s,
        why_unknown=Counter(
            {"a terminal died over it": len(verdict.lost), "other": len(verdict.unresolved)}
        ),
        faults=run.figures.faults,
        deaths=run.figures.points,
        reached=Counter(world.sometimes),
        resolved_s=verdict.seconds,
    )


def _line_of(world: World) -> dict[str, Any]:
    run, verdict = world.run, world.run.verdict
    return {
        "seed": world.options.seed,
        "orders": verdict.orders,
        "steps": world.loop.steps,
        "trace": world.trace.close(),
        "doubled": len(verdict.doubled),
        "missing": len(verdict.missing),
        "wrong": len(verdict.wrong) + len(verdict.broken),
        "unknown": len(verdict.unresolved) + len(verdict.lost),
        "kills": run.figures.kills,
        "faults": run.figures.faults.total(),
    }


def parser() -> argparse.ArgumentParser:
    """Return what reads the words of a command that makes one run."""
    made = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--orders", type=int, default=500)
    made.add_argument("--kills-every", type=int, default=0, metavar="ORDERS")
    made.add_argument("--mutant", metavar="NAME", help="a deliberate fault of the product")
    made.add_argument(
        "--lone", default="", metavar="NAME", help="have this terminal of bots of one kind"
    )
    made.add_argument("--json", action="store_true", help="say nothing but the last line")
    made.add_argument(
        "--faults",
        metavar="NAMES",
        help="let these happen, parted by commas, or none; not what the seed draws",
    )
    made.add_argument(
        "--shorten",
        type=int,
        default=20,
        metavar="N",
        help="how many shorter forms of a run that is wrong are tried",
    )
    made.add_argument("--log", type=Path, metavar="FILE", help="write down what was traced")
    return made
