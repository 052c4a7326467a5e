"""Wait between two tries of a password; of the console and of operators."""

from __future__ import annotations

FREE_TRIES = 3
MAX_DELAY_S = 900
MAX_FAILURES = 100
"""In a row; then only a new password helps."""


def delay_s(failures: int) -> int:
    """Return the wait after so many failures in a row: 0, 0, 0, 1, 2, 4 ... 900 s."""
    if failures <= FREE_TRIES:
        return 0
    # the exponent is bounded: a count is any number, a power of it is not
    return min(MAX_DELAY_S, 1 << min(failures - FREE_TRIES - 1, 10))
