"""Figures for the live page: what ``/metrics`` counts, and the orders that nobody can tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ea_bridge.histogram import BOUNDS_S
from gateway.metrics.readings import Reading
from gateway.trading.journal import Intent
from gateway.trading.journal.views import record

MAX_UNKNOWN = 100
"""Orders of unknown outcome that are told, the newest."""


def figures(readings: Sequence[Reading], unknown: Sequence[Intent]) -> Mapping[str, Any]:
    """Return what the page shows, as JSON has it.

    ``readings`` are by name: ``values`` are pairs of labels and number; ``buckets`` are pairs of
    labels and counts by bucket with the sum in seconds. ``bounds_s`` are the upper bounds of all
    buckets but the last. ``unknown`` are records as ``get_order`` gives them, without ``now``.
    """
    return {
        "bounds_s": BOUNDS_S,
        "readings": {
            reading.name: {
                "labels": reading.labels,
                "values": list(reading.values.items()),
                "buckets": list(reading.buckets.items()),
            }
            for reading in readings
        },
        "unknown": [record(intent, None) for intent in unknown[-MAX_UNKNOWN:]],
    }
