"""Which faults happen in a run is drawn from its seed."""

from __future__ import annotations

from .swarm import ORDERS_A_FAULT, names_of, orders_a_fault

KNOWN = [f"fault {n}" for n in range(20)]


def test_a_seed_draws_the_same_faults_again():
    """Whatever the order in which they are known."""
    assert names_of(7, KNOWN) == names_of(7, KNOWN[::-1]) <= frozenset(KNOWN)


def test_seeds_differ_and_come_to_every_fault():
    """No run has all of them, none has nothing, and some have many in few orders."""
    drawn = [names_of(seed, KNOWN) for seed in range(40)]

    assert {len(one) for one in drawn} <= {*range(1, 20)}
    assert frozenset().union(*drawn) == frozenset(KNOWN)
    assert {orders_a_fault(seed) for seed in range(40)} == {*ORDERS_A_FAULT}
