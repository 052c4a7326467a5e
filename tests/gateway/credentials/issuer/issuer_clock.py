"""The time of the issuer."""

from __future__ import annotations

START = 1_800_000_000


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now
