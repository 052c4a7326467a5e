"""Prometheus' text format, by the library prometheus-client.

To import that takes tens of milliseconds, so nothing imports this module but a request for
``/metrics``, in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ea_bridge.histogram import BOUNDS_S

from .readings import Buckets, Reading

PREFIX = "mt_gateway_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = [*map(str, BOUNDS_S), "+Inf"]


class _Readings(Collector):
    """Readings as the library wants them, with its own of the process (memory, CPU, files)."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        yield from map(_family, self._readings)
        yield from ProcessCollector(registry=None).collect()


def exposition(readings: Sequence[Reading]) -> bytes:
    """Return the text of readings."""
    return generate_latest(_Readings(readings))


def _family(reading: Reading) -> Metric:
    name, labels = PREFIX + reading.name, reading.labels
    if reading.kind == "histogram":
        histogram = HistogramMetricFamily(name, reading.help, labels=labels)
        for values, buckets in reading.buckets.items():
            histogram.add_metric(values, _cumulated(buckets), buckets[1])
        return histogram
    make = CounterMetricFamily if reading.kind == "counter" else GaugeMetricFamily
    family = make(name, reading.help, labels=labels)
    for values, value in reading.values.items():
        family.add_metric(values, value)
    return family


def _cumulated(buckets: Buckets) -> Sequence[tuple[str, float]]:
    """Return how many durations are up to each bound, as the format has it."""
    counts: Iterable[int] = accumulate(buckets[0])
    return list(zip(_BOUNDS, map(float, counts), strict=True))
