"""Campaign of runs: one seed after the other, in processes of their own, added up in a file.

``python -m tests.simulation campaign --orders N`` goes on with the seed after the last one that
the file knows, until so many more orders were simulated. It ends with exit code 1 if one run was
wrong, and names the command that repeats it. The file keeps what all runs have seen together, so
that campaigns of several days are one.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from . import command, plugins
from .command import Counts, Report, how_to_repeat, repeating
from .sometimes import never
from .world import Options

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

LONGEST_CPU_S = 600
"""A run of a few thousand orders takes some ten seconds of CPU."""
LONGEST_S = 7200.0
"""One that waits for something real, which it never does, and not for the processor."""
BUCKETS_A_DECADE = 20
"""Of the times until an unknown outcome was found out: each is at most 12 % wide."""
LEAST_S = 0.001
MUST_REACH_ALL = 1_000_000
"""After so many orders each point of :mod:`sometimes` must have been reached, and each fault."""


@dataclass(kw_only=True)
class Progress(Counts):
    """What all runs so far have shown.

    Attributes:
        next_seed: of the run after the last one.
        since_wrong: orders since the last wrong run.
        times: of how many unknown outcomes it took how long until they were known, by bucket.
        wrong_commands: repeat the runs that were wrong.

    """

    next_seed: int = 1
    runs: int = 0
    orders: int = 0
    since_wrong: int = 0
    doubled: int = 0
    missing: int = 0
    wrong: int = 0
    unknown: int = 0
    kills: int = 0
    slowest_s: float = 0.0
    times: Counter[str] = field(default_factory=Counter)
    wrong_commands: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Progress:
        """Read what an earlier campaign left; a fresh one where there is no file."""
        if not path.exists():
            return cls()
        kept = json.loads(path.read_text("utf-8"))
        made = cls()
        for name, value in kept.items():
            before = getattr(made, name)
            setattr(made, name, Counter(value) if isinstance(before, Counter) else value)
        return made

    def save(self, path: Path) -> None:
        """Write it down; the file before stays until this one is whole."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(vars(self), indent=1), "utf-8")
        fresh.replace(path)

    def take(self, report: Report) -> None:
        """Take the report of a run."""
        self.add(report)
        line = report.line
        self.runs += 1
        self.orders += line["orders"]
        self.since_wrong += line["orders"]
        for name in ("doubled", "missing", "wrong", "unknown", "kills"):
            setattr(self, name, getattr(self, name) + line[name])
        for seconds in report.resolved_s:
            self.slowest_s = max(self.slowest_s, seconds)
            self.times[str(_bucket(seconds))] += 1

    def fail(self, command_line: str) -> None:
        """Take that a run was wrong, or did not end."""
        self.wrong_commands.append(command_line)
        self.since_wrong = 0

    def quantile_s(self, share: float) -> float:
        """Return in how long that share of the unknown outcomes was known, to 12 %."""
        left = share * self.times.total()
        for bucket in sorted(int(one) for one in self.times):
            left -= self.times[str(bucket)]
            if left <= 0:
                return LEAST_S * 10 ** ((bucket + 0.5) / BUCKETS_A_DECADE)
        return self.slowest_s

    def lacking(self) -> list[str]:
        """Return what must have happened by now, and has not."""
        return never(self.reached, self.faults) if self.orders >= MUST_REACH_ALL else []

    def __str__(self) -> str:
        return (
            f"{self.runs} runs, {self.orders} orders: {self.doubled} doubled, "
            f"{self.missing} missing, {self.wrong} wrong; {self.unknown} unknown to the last "
            f"{dict(self.why_unknown)}; {self.times.total()} unknown for a time and found out in "
            f"{self.quantile_s(0.5):.2f} s (p50), {self.quantile_s(0.99):.2f} s (p99), "
            f"{self.slowest_s:.1f} s (max); {self.kills} deaths, {self.faults.total()} faults, "
            f"{self.simulated_s / 86_400:.1f} days simulated in {self.cpu_s / 60:.1f} min CPU, "
            f"{1000 * self.cpu_s / max(self.orders, 1):.2f} ms an order; "
            f"{self.since_wrong} orders since the last wrong one"
        )


def _bucket(seconds: float) -> int:
    """Return the number of the bucket of a time, on a logarithmic scale from 1 ms."""
    return int(BUCKETS_A_DECADE * math.log10(max(seconds, LEAST_S) / LEAST_S))


_CONTEXT = (
    multiprocessing.get_context("fork")
    if "fork" in multiprocessing.get_all_start_methods()
    else multiprocessing.get_context("spawn")
)


class Running:
    """A run in a process of its own, which has all modules already where it can be forked."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.begun_s = time.monotonic()
        self.receiving, sending = multiprocessing.Pipe(duplex=False)
        self._process = _CONTEXT.Process(
            target=_run_and_send, args=(options, sending), daemon=True
        )
        self._process.start()
        sending.close()

    def report(self) -> Report | None:
        """Wait for its report; ``None`` if it ended without one, or did not end."""
        try:
            left_s = self.begun_s + LONGEST_S - time.monotonic()
            return self.receiving.recv() if self.receiving.poll(max(left_s, 0)) else None
        except EOFError:
            return None
        finally:
            self._process.kill()
            self._process.join()


def report_of(options: Options) -> Report | None:
    """Make a run in a process of its own; ``None`` if it ended without a report."""
    return Running(options).report()


def _run_and_send(options: Options, sending: Connection) -> None:
    if resource is not None:  # by the CPU: beside other work a run may take hours
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_CPU_S, LONGEST_CPU_S))
    sending.send(command.run_here(options))
    os._exit(0)  # what the dead have left is nobody's: it is not to be taken apart


class Campaign:
    """Runs of consecutive seeds, several at a time.

    Args:
        progress: what earlier runs have shown; added to.
        options: of each run but its seed.

    """

    def __init__(self, progress: Progress, options: Options) -> None:
        self.progress = progress
        self._options = options
        self._running: list[Running] = []

    def run(self, orders: int, processes: int) -> Iterator[Options]:
        """Simulate so many orders; yield after each run what it was made from."""
        goal = self.progress.orders + orders
        begun = self.progress.orders
        while self._running or begun < goal:
            while len(self._running) < processes and begun < goal:
                self._begin()
                begun += self._options.orders
            yield from self._collect()

    def _begin(self) -> None:
        options = replace(self._options, seed=self.progress.next_seed)
        self.progress.next_seed += 1
        self._running.append(Running(options))

    def _collect(self) -> Iterator[Options]:
        told = wait([one.receiving for one in self._running], timeout=10.0)
        for one in list(self._running):
            if one.receiving in told or time.monotonic() > one.begun_s + LONGEST_S:
                self._running.remove(one)
                self._take(one.options, one.report())
                yield one.options

    def _take(self, options: Options, report: Report | None) -> None:
        if report is not None:
            self.progress.take(report)
        if report is None or not report.is_right:
            self.progress.fail(repeating(options))
            print(*([] if report is None else report.said), how_to_repeat(options), sep="\n")


def main() -> None:
    """Go on with the campaign; print how it stands."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation campaign")
    parser.add_argument("--orders", type=int, default=100_000, help="to simulate now")
    parser.add_argument("--each", type=int, default=2_000, help="orders in a run")
    parser.add_argument("--kills-every", type=int, default=110, metavar="ORDERS")
    parser.add_argument("--first-seed", type=int, help="where the file knows none")
    parser.add_argument("--mutant", default="", help="a deliberate fault of the product")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--progress", type=Path, default=Path("simulated.json"))
    arguments = parser.parse_args(sys.argv[2:])
    progress = Progress.load(arguments.progress)
    if not progress.runs and arguments.first_seed is not None:
        progress.next_seed = arguments.first_seed
    plugins.discover()  # what it imports, every forked run has already
    campaign = Campaign(
        progress, Options(0, arguments.each, arguments.kills_every, mutant=arguments.mutant)
    )
    wrong_before = len(progress.wrong_commands)
    for _ in campaign.run(arguments.orders, arguments.processes):
        progress.save(arguments.progress)
    print(progress)
    for name in progress.lacking():
        print(f"never reached: {name}")
    sys.exit(len(progress.wrong_commands) > wrong_before or bool(progress.lacking()))
