"""Rules of histograms: each duration in one bucket, none lost."""

from __future__ import annotations

import itertools
import random

import pytest

from ea_bridge.histogram import BOUNDS_S, MAX_RECENT, Histogram


@pytest.mark.parametrize("bucket", range(len(BOUNDS_S)))
def test_a_bound_belongs_to_the_bucket_below_it(bucket: int) -> None:
    """As Prometheus has it: ``le`` is less or equal."""
    histogram = Histogram()
    histogram.add(BOUNDS_S[bucket])
    histogram.add(BOUNDS_S[bucket] * 1.0001)
    counts, _ = histogram.read()
    assert (counts[bucket], counts[bucket + 1], sum(counts)) == (1, 1, 2)


def test_none_is_lost_however_many_there_are() -> None:
    """Nor counted twice by those who look in between."""
    histogram, given = Histogram(), []
    dice = random.Random(7)  # noqa: S311  # the same durations each time
    for n in range(5 * MAX_RECENT + 3):
        given.append(dice.expovariate(1.0) * 10 ** dice.uniform(-6, 1))
        histogram.add(given[-1])
        if n % 700 == 0:
            histogram.read()
    counts, sum_s = histogram.read()
    edges = (0.0, *BOUNDS_S, float("inf"))
    assert list(counts) == [
        sum(low < one <= high for one in given) for low, high in itertools.pairwise(edges)
    ]
    assert sum_s == pytest.approx(sum(given))
