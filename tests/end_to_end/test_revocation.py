"""Revocation under load: what it reaches, and how soon.

Console, daemon and clients are processes of their own, the terminals belong to the test. Half of
the clients do not read. Each click is an HTTP request to the console. The EA's own ledger is the
truth about orders.

The short form states the rules; the long form also records the figures, as properties of the test
suite: ``pytest --long -n 0 tests/end_to_end/test_revocation.py --junitxml=FILE``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from revocation_figures import Trial, summary
from revocation_rig import Size, bench

Record = Callable[[str, object], None]
pytestmark = pytest.mark.xdist_group("e2e-revocation")


def broken(trials: list[Trial]) -> list[str]:
    """Return the rules that did not hold, with the kind of the click."""
    return [f"{one.kind}: {wrong}" for one in trials for wrong in one.wrong]


async def test_a_revocation_reaches_everything(tmp_path: Path) -> None:
    """Of a token, of a user, of a machine: all connections end, read or not; no order is written
    and no event made after the gate; an order that was done is in the EA's ledger, and one that
    was refused is not; the console shows that it is over; other tokens go on."""
    size = Size(tokens=2, sockets=100, orders_per_s=30, speed=2)
    trials = await bench(tmp_path, size, ("tokens", "user", "device"))
    assert [one.kind for one in trials] == ["token", "token", "user", "device"]
    assert broken(trials) == []


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_revocation_among_a_thousand_connections(
    tmp_path: Path, record_testsuite_property: Record
) -> None:
    """The same rules with 1,000 WebSockets and 200 orders a second; here are the figures."""
    size = Size(tokens=4, sockets=1000, orders_per_s=200, speed=2)
    rounds = ("tokens", "tokens", "user", "tokens", "device") * 4
    trials = await bench(tmp_path, size, rounds)
    for what, figures in summary(trials).items():
        record_testsuite_property(f"revocation: {what}", figures)
        print(f"{what:45} {figures}")
    assert broken(trials) == []
