"""Dice of a run: one for each purpose, so that what one draws moves no other."""

from __future__ import annotations

from random import Random


class Dice:
    """All randomness of a run, from its seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._named: dict[str, Random] = {}

    def __call__(self, name: str) -> Random:
        """Return the dice of a purpose; the same whenever it is asked for."""
        if name not in self._named:
            self._named[name] = Random(f"{self.seed} {name}")  # noqa: S311 (a run, not a secret)
        return self._named[name]
