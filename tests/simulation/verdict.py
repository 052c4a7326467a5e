"""Figures of a run, and what was wrong in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

WITHIN_S = 10.0
"""In which an unknown outcome is to be found out after the terminal is back."""


@dataclass(kw_only=True)
class Verdict:
    """The figures of a run; ids of what is wrong."""

    orders: int = 0
    executed: int = 0
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Told to be done, and not executed."""
    wrong: list[str] = field(default_factory=list)
    """``get_order`` says what is not so, or somebody was told two different ends."""
    unknown: int = 0
    """How many were unknown for a time."""
    slow: int = 0
    """Of those, found out later than 10 s after the terminal was back, and had not died."""
    slow_deaths: int = 0
    """The same of those over which it had died: what its table lacks is seen by its account."""
    unresolved: list[str] = field(default_factory=list)
    """Unknown to the last, though no terminal had died over it."""
    lost: list[str] = field(default_factory=list)
    """Unknown to the last: a terminal died over it."""
    assigned: int = 0
    """Told another end than its own, and an equal request that was unknown as well the other way
    round: as many of them are told to be done as were executed."""
    superseded: int = 0
    """Changes that are told not to be executed, and were, before something else undid them."""
    swapped: int = 0
    """Done, with the ticket of another order that is alike in everything."""
    methods: Counter[str] = field(default_factory=Counter)
    """How many of each were executed."""
    seconds: list[float] = field(default_factory=list)
    """From the terminal's first return after the answer, or from the answer if it had been there
    all the time, until it was found out."""
    has_disk_failed: bool = False
    """A daemon may have been unable to write what it told: who asks again for a sweep, under the
    same id, may then have another."""
    broken: list[str] = field(default_factory=list)
    """Rules that did not hold, each as its name and what was seen."""

    @property
    def is_right(self) -> bool:
        """Nothing doubled, missing, wrong or broken, and nothing is unknown to the last."""
        wrong = self.doubled or self.missing or self.wrong or self.broken
        return not (wrong or self.unresolved or self.lost)

    def breach(self, rule: str, seen: str) -> None:
        """Take that a rule did not hold."""
        self.broken.append(f"{rule}: {seen}")

    def __str__(self) -> str:
        seconds = sorted(self.seconds)
        share = 100 * self.unknown / max(self.orders, 1)
        methods = ", ".join(f"{name} {n}" for name, n in sorted(self.methods.items()))
        return (
            f"{self.orders} orders, {self.executed} executed ({methods}): "
            f"{len(self.doubled)} doubled, "
            f"{len(self.missing)} missing, {len(self.wrong)} with a wrong state, "
            f"{len(self.broken)} rules broken, "
            f"{self.swapped} swapped, {self.assigned} assigned, {self.superseded} superseded; "
            f"{self.unknown} unknown for a time ({share:.2f} %), "
            f"to the last {len(self.lost)} over which a terminal had died and "
            f"{len(self.unresolved)} others; {self.slow} others and {self.slow_deaths} such for "
            f"more than {WITHIN_S:.0f} s after the terminal was back; the others were found out "
            f"in {_quantile(seconds, 0.5):.2f} s (p50), "
            f"{_quantile(seconds, 0.99):.2f} s (p99), {_quantile(seconds, 1.0):.2f} s (max)"
        )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
