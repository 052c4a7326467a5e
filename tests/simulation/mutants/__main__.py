"""``python -m tests.simulation.mutants``: have the simulation find every deliberate fault.

Prints a table; exits with 1 if a fault of the money path survives, or if the product fails without
any. The past mistakes are told as well, and do not decide.
"""

from __future__ import annotations

import argparse

from . import FAULTS, MUTANTS, PAST
from .hunt import control, hunt_all, row


def main() -> int:
    """Hunt those that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of mutants; all if absent")
    parser.add_argument("--orders", type=int, default=500, help="of one run")
    parser.add_argument("--seeds", type=int, default=40, help="how many runs, at the most")
    parser.add_argument("--first", type=int, default=1, help="seed")
    parser.add_argument("--list", action="store_true", help="tell what there is, and run nothing")
    options = parser.parse_args()
    chosen = [MUTANTS[name] for name in options.names] or list(MUTANTS.values())
    if options.list:
        for one in chosen:
            print(f"{one.name:32} {one.broken}")
        return 0
    seeds = range(options.first, options.first + options.seeds)
    if wrong := control(orders=options.orders, seeds=seeds[:2]):
        print(wrong)
        return 1
    survivors = []
    for catch in hunt_all(chosen, orders=options.orders, seeds=seeds):
        print(row(catch), flush=True)
        if catch.told:
            print(f"    {catch.told[:160]}", flush=True)
        if not catch.by:
            survivors.append(catch.mutant)
    faults, past = ([one for one in chosen if one in some] for some in (FAULTS, PAST))
    for what, some in (("faults", faults), ("past mistakes", past)):
        caught = sum(one not in survivors for one in some)
        print(f"{caught} of {len(some)} {what} caught")
    return int(any(one in faults for one in survivors))


raise SystemExit(main())
