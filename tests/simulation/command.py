"""Command line of the simulation: what it takes, and what it says."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .world import Options, World, simulate

MEMORY = Path("/dev/shm")  # noqa: S108  # only a folder of our own in it, by mkdtemp


def main() -> None:
    """Make one run, and end with the exit code."""
    arguments = _arguments()
    logging.disable(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None))
    begun_s = time.process_time()
    try:
        options = Options(
            arguments.seed, arguments.orders, arguments.kills_every, log=arguments.log
        )
        world = simulate(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    took_s = time.process_time() - begun_s
    if not arguments.json:
        _tell(world, took_s)
    print(json.dumps(line_of(world)))
    sys.stdout.flush()
    # what the dead have left is nobody's: it is not to be taken apart
    os._exit(0 if world.run.verdict.is_right else 1)


def line_of(world: World) -> dict[str, Any]:
    """Return the last line."""
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


def _tell(world: World, took_s: float) -> None:
    run, verdict = world.run, world.run.verdict
    for kind in ("doubled", "missing", "wrong", "broken", "unresolved", "lost"):
        for said in getattr(verdict, kind):
            print(f"{kind}: {said}")
    print(verdict)
    print(run.figures)
    print(
        f"{1000 * took_s / max(verdict.orders, 1):.2f} ms CPU an order, "
        f"{world.loop.now - 1000:.0f} s simulated"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--kills-every", type=int, default=0, metavar="ORDERS")
    parser.add_argument("--mutant", metavar="NAME", help="a deliberate fault of the product")
    parser.add_argument("--json", action="store_true", help="say nothing but the last line")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write down what was traced")
    return parser.parse_args()
