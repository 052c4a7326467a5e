"""Figures of a bench, and how they are told."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Path:
    """What was measured of one path, round by round. Times are in milliseconds."""

    alone_ms: list[list[float]] = field(default_factory=list)
    """Of orders with nothing else under way: one list a round."""
    crowded_ms: list[float] = field(default_factory=list)
    """Of orders with many under way."""
    per_s: list[float] = field(default_factory=list)
    """Orders a second with many under way: one a round."""
    cpu_ms: float | None = None
    """What the daemon computes for an order, on the mean; ``None`` where nobody can tell."""

    @property
    def p50_ms(self) -> float:
        """The median of all orders alone."""
        return percentile(self._all_alone, 50)

    def facts(self) -> dict[str, Any]:
        """Return the figures of this path."""
        alone = self._all_alone
        return {
            "alone_ms": {f"p{of}": round(percentile(alone, of), 3) for of in (50, 90, 99)},
            "crowded_ms": {
                f"p{of}": round(percentile(self.crowded_ms, of), 3) for of in (50, 90, 99)
            },
            "orders_per_s": round(statistics.median(self.per_s), 1),
            "cpu_ms": None if self.cpu_ms is None else round(self.cpu_ms, 3),
        }

    @property
    def _all_alone(self) -> list[float]:
        return [one for taken in self.alone_ms for one in taken]


def percentile(taken: Sequence[float], of: float) -> float:
    """Return the value that so many percent of the others do not exceed (nearest rank)."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of / 100))]


def added_ms(journaled: Path, bare: Path) -> float:
    """Return what the journal adds to the median order alone: the median over the rounds."""
    pairs = zip(journaled.alone_ms, bare.alone_ms, strict=True)
    return statistics.median(percentile(a, 50) - percentile(b, 50) for a, b in pairs)


def ratio(journaled: Path, bare: Path) -> float:
    """Return orders a second with the journal, to those without: the median over the rounds."""
    pairs = zip(journaled.per_s, bare.per_s, strict=True)
    return statistics.median(a / b for a, b in pairs)


def table(facts: dict[str, Any]) -> str:
    """Return the figures for people."""
    at_once = facts["at_once"]
    head = f"{'':22}{'one under way':^26}{f'{at_once} under way':^34}".rstrip()
    names = f"{'':22}{'p50 ms':>8}{'p90 ms':>9}{'p99 ms':>9}{'orders/s':>12}{'p50 ms':>10}"
    lines = [
        f"mt-gateway bench orders: market orders by /ws, {facts['rounds']} rounds, daemon and "
        "emulated terminal in processes of their own",
        f"ledger in {facts['folder']}: a write and fdatasync take {facts['sync_ms']} ms there",
        "",
        head,
        f"{names}{'p99 ms':>10}{'CPU ms':>10}",
        _row("with the journal", facts["journal"]),
        _row("without it", facts["bare"]),
        "",
        f"the journal adds {facts['journal_adds_ms']} ms to the median order; with {at_once} "
        f"under way {facts['ratio']} of the orders a second are left",
        f"the journal alone, {at_once} under way: {facts['journal_alone_per_s']} orders/s",
    ]
    return "\n".join(lines)


def _row(name: str, facts: dict[str, Any]) -> str:
    alone, crowded = facts["alone_ms"], facts["crowded_ms"]
    cpu = "-" if facts["cpu_ms"] is None else f"{facts['cpu_ms']:.2f}"
    return (
        f"{name:22}{alone['p50']:8.2f}{alone['p90']:9.2f}{alone['p99']:9.2f}"
        f"{facts['orders_per_s']:12.0f}{crowded['p50']:10.1f}{crowded['p99']:10.1f}{cpu:>10}"
    )
