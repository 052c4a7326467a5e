"""What clicks brought about, and the figures of many."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass
class Trial:
    """What one click brought about; seconds, from the moment that it was sent."""

    kind: str
    open: int
    """WebSockets that were open, of all tokens."""
    ended: int
    """Those that ended by it."""
    events_per_s: float
    """That came to those who read, before the click."""
    last_byte: float
    last_order: float
    """Until an EA took the last order; negative where there was none after the click."""
    gate: float
    heard_to_gate: float
    gate_to_dead: float
    confirmed: float
    """Until the console showed that it is over."""
    orders: dict[str, int]
    """What the bots were told, counted."""
    wrong: list[str] = field(default_factory=list)
    """Rules that did not hold."""


def figures(values: Sequence[float]) -> str:
    """Return median, 99th percentile and maximum, in milliseconds."""
    if len(values) < 2:
        return ", ".join(f"{value * 1000:.0f} ms" for value in values)
    p99 = statistics.quantiles(values, n=100, method="inclusive")[98]
    return (
        f"median {statistics.median(values) * 1000:.0f}, p99 {p99 * 1000:.0f}, "
        f"max {max(values) * 1000:.0f} ms (n={len(values)})"
    )


def summary(trials: Sequence[Trial]) -> dict[str, str]:
    """Return the figures of trials, by what they are of."""
    columns: dict[str, Callable[[Trial], float]] = {
        "click to last byte": lambda one: one.last_byte,
        "click to last order taken by an EA": lambda one: one.last_order,
        "click to gate": lambda one: one.gate,
        "word heard to gate": lambda one: one.heard_to_gate,
        "gate to the last socket's end": lambda one: one.gate_to_dead,
        "click to confirmation in the console": lambda one: one.confirmed,
    }
    lines = {name: figures([of(one) for one in trials]) for name, of in columns.items()}
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return lines | {"load of the machine": f"{load} on {os.cpu_count()} cores"}
