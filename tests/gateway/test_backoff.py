"""Waits that grow with each failure."""

from __future__ import annotations

import pytest

from gateway.background import Backoff, ceiling_s


def test_a_wait_doubles_up_to_the_longest_and_begins_anew_after_a_success() -> None:
    """The first is as it was given."""
    backoff = Backoff(0.5, 3.0)
    waits = []
    for _ in range(4):
        waits.append(backoff.wait_s)
        backoff.grow()
    assert waits == [0.5, 1.0, 2.0, 3.0]
    backoff.reset()
    assert backoff.wait_s == 0.5


@pytest.mark.parametrize(
    ("failures", "expected"), [(0, 0.1), (3, 0.8), (7, 10.0), (100_000, 10.0)]
)
def test_the_ceiling_is_bounded_however_often_it_fails(failures: int, expected: float) -> None:
    """No number of failures is too large for a float."""
    assert ceiling_s(0.1, 10.0, failures) == pytest.approx(expected)
