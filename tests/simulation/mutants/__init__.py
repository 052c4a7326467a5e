"""Deliberate faults in the money path, and the project's own past ones, for the simulation.

A simulation that finds nothing has to show that it would: ``python -m tests.simulation --mutant
NAME`` runs it over a product with one fault in it, and :mod:`.__main__` over all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .bridge_faults import BRIDGE_FAULTS
from .caller_faults import CALLER_FAULTS
from .found import FOUND
from .gateway_faults import GATEWAY_FAULTS
from .mutation import Late, Mutant, MutantFinder, Stale, install
from .past import BEFORE

FAULTS: tuple[Mutant, ...] = (*GATEWAY_FAULTS, *BRIDGE_FAULTS, *CALLER_FAULTS)
PAST: tuple[Mutant, ...] = (*BEFORE, *FOUND)
MUTANTS: dict[str, Mutant] = {one.name: one for one in (*FAULTS, *PAST)}

__all__ = [
    "FAULTS",
    "MUTANTS",
    "PAST",
    "Late",
    "Mutant",
    "MutantFinder",
    "Stale",
    "install",
    "install_named",
]


def install_named(words: Sequence[str]) -> None:
    """Install the mutant that a command line names by ``--mutant NAME``, if it names one.

    Raises:
        SystemExit: there is none of that name.

    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--mutant", choices=sorted(MUTANTS))
    said = parser.parse_known_args(words)[0].mutant
    if said is not None:
        install(MUTANTS[said])
