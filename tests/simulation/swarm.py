"""Which faults happen in a run, and how often: drawn from its seed.

A run in which everything can happen sees little of anything. So each has faults of its own, and
many of these: what takes two of the same kind, one after the other, comes about in some of them.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random

SHARE = 0.4
"""Of all faults, in one run."""
ORDERS_A_FAULT = (5, 10, 15, 30)
"""About so many orders come to one fault: one of these."""


def names_of(seed: int, known: Collection[str]) -> frozenset[str]:
    """Return those of the known faults that happen in a run; one at least."""
    dice = Random(f"{seed} swarm")  # noqa: S311 (a run, not a secret)
    names = sorted(known)
    return frozenset([*(one for one in names if dice.random() < SHARE), dice.choice(names)])


def orders_a_fault(seed: int) -> int:
    """Return about how many orders of a run come to one fault."""
    return Random(f"{seed} storms").choice(ORDERS_A_FAULT)  # noqa: S311 (a run, not a secret)
