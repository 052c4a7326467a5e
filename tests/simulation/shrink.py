"""Shrinking: a run that is wrong is cut down to one that is short and still wrong.

``python -m tests.simulation shrink --seed N --orders N [--kills-every N]`` tries fewer orders, no
deaths, and one kind of fault after the other left out, and prints the shortest command that still
finds something of the same kind wrong. With ``--tries N`` it prints the shortest one of as many: a
run that is wrong does so by itself.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator

from . import command, plugins, swarm
from .campaign import report_of
from .command import Report, repeating
from .world import Options

LEAST_ORDERS = 10
KINDS = ("doubled", "missing", "wrong")

Finds = Callable[[Options], frozenset[str]]
"""Makes a run; returns the kinds of what was wrong."""


def shrink(options: Options, finds: Finds, tries: int | None = None) -> Options:
    """Return options of a shorter run that still finds something wrong of the same kinds.

    Args:
        options: of a run that is wrong.
        finds: makes a run.
        tries: how many runs are made at the most; ``None``: as many as it takes.

    """
    made = 1
    wanted = finds(options)
    if not wanted:
        return options
    is_done = False
    while not is_done:
        is_done = True
        for shorter in _shorter(options):
            if made == tries:
                return options
            made += 1
            if finds(shorter) & wanted:
                options, is_done = shorter, False
                break
    return options


def _shorter(options: Options) -> Iterator[Options]:
    """Return what might be shorter, the boldest first."""
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        orders = int(options.orders * share)
        if LEAST_ORDERS <= orders < options.orders:
            yield dataclasses.replace(options, orders=orders)
    known = swarm.names_of(options.seed, plugins.FAULTS)
    named = sorted(known if options.faults is None else options.faults)
    if options.faults != frozenset():
        yield dataclasses.replace(options, faults=frozenset())
    for size in (len(named) // 2, len(named) // 4, 1):
        for start in range(0, len(named), size or 1):
            left = frozenset(named[:start] + named[start + (size or 1) :])
            if left and size:
                yield dataclasses.replace(options, faults=left)


def kinds_of(report: Report | None) -> frozenset[str]:
    """Return the kinds of what was wrong in a run, that it did not end among them."""
    if report is None:
        return frozenset({"did not end"})
    return frozenset(name for name in KINDS if report.line[name])


def main() -> None:
    """Shrink the run of the command line."""
    plugins.discover()
    parser = command.parser()
    parser.add_argument("--tries", type=int, metavar="N")
    arguments = parser.parse_args(sys.argv[2:])
    options = command.options_of(arguments)
    reports: dict[str, Report | None] = {}
    tried = 0

    def finds(one: Options) -> frozenset[str]:
        nonlocal tried
        tried += 1
        reports[repeating(one)] = report = report_of(one)
        return kinds_of(report)

    shortest = repeating(shrink(options, finds, arguments.tries))
    report = reports[shortest]
    print(*([] if report is None else report.said[: command.SHOWN]), sep="\n")
    print(f"after {tried} runs: {shortest}")
    sys.exit(bool(kinds_of(report)))
