"""What a person has said became of an order that nobody knew the end of."""

from __future__ import annotations

from typing import Literal

from ea_bridge.model.struct import Struct

WATCHED_MS = 86_400_000
"""For so long the terminal is looked at whether it says something else."""

TABLE = """
CREATE TABLE settlements (
    order_id INTEGER PRIMARY KEY REFERENCES orders (id),
    said TEXT NOT NULL,
    watched_until_ms INTEGER
) STRICT;
CREATE INDEX settlements_watched ON settlements (watched_until_ms)
    WHERE watched_until_ms IS NOT NULL;
"""
"""``said`` is JSON; ``watched_until_ms`` is null where what was said has turned out to be true, or
not."""

Outcome = Literal["done", "rejected"]


class Settlement(Struct, frozen=True, kw_only=True):
    """One order that was settled by hand."""

    by: str
    """``token`` and its public id."""
    outcome: Outcome
    ticket: int | None = None
    """Of the order that is said to be this one."""
    checked: bool = False
    """The terminal has shown that order."""
    note: str = ""
    """What was looked at, for people."""
    time_ms: int
    confirmed: bool = False
    """The terminal has said the same since."""
    contradicted_ms: int | None = None
    """When it was found out that it was otherwise: the order has the end that was found."""

    @property
    def is_watched(self) -> bool:
        """Whether the truth may still come."""
        return not self.confirmed and self.contradicted_ms is None
