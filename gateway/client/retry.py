"""How long to wait before connecting again."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 10.0
MAX_ANNOUNCED_S = 60.0
"""A gateway that says when it will be back is believed up to here."""


def retry_delay_s(
    failures: int,
    restart_in_ms: int | None = None,
    rng: Callable[[], float] = random.random,
) -> float:
    """Return the wait after so many failures in a row: it doubles, and half of it is chance.

    Many clients that lost one gateway at one moment so come back at different ones.

    Args:
        restart_in_ms: when the gateway said that it will be back, if it did.

    """
    ceiling = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures, 16))
    announced = 0.0 if restart_in_ms is None else min(restart_in_ms / 1000, MAX_ANNOUNCED_S)
    return announced + ceiling * (0.5 + rng() / 2)
