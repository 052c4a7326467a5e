"""Command of the simulated days: ``python -m tests.simulation days --seed N --days N``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys

from .product_faults import FAULTS, fault
from .run import run_here
from .world import Options

SHOWN = 20
"""Faults that are printed; the last line has their number."""


def main() -> None:
    """Make one run, and end with the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation days", description=__doc__)
    parser.add_argument("days_command", choices=["days"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=3.0, help="of simulated time")
    parser.add_argument("--pause", type=float, default=2700.0, help="s between two incidents")
    parser.add_argument("--tour", action="store_true", help="each incident once, and no more")
    parser.add_argument("--fault", default="", choices=["", *FAULTS], help="of the product")
    parser.add_argument("--log", action="store_true", help="log to stderr")
    arguments = parser.parse_args()
    if arguments.log:
        logging.basicConfig(level=logging.INFO)
    else:
        logging.disable(logging.CRITICAL)
    options = Options(arguments.seed, arguments.days, arguments.pause, arguments.tour)
    with fault(arguments.fault):
        report = run_here(options)
    for said in report["faults"][:SHOWN]:
        print(said)
    print(json.dumps(report | {"faults": len(report["faults"])}))
    sys.stdout.flush()
    os._exit(1 if report["faults"] else 0)  # what was killed is not to be taken apart
