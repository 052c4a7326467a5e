"""When the link does what again, and what it counts of connections that it ends."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.credentials.lease import RENEW_S

from .http import TIMEOUT_S


@dataclass(frozen=True)
class Pace:
    """When what is done again, and what is waited for; in seconds."""

    renew_s: float = RENEW_S
    """Give or take a tenth."""
    poll_s: float = 30.0
    """While there is no stream."""
    retry_s: float = 5.0
    max_retry_s: float = 60.0
    gap_s: float = 0.25
    """At least, between two syncs."""
    reopen_s: float = 0.5
    max_reopen_s: float = 8.0
    answer_s: float = TIMEOUT_S
    history_s: float = 5.0
    """At least, between two reports of what has been."""
    witness_s: float = 60.0
    """Between two times that the console is told how far the audit trail goes."""
    steady_s: float = 30.0
    """A stream that lived so long was a good one: the next is opened at once."""


@dataclass(frozen=True)
class Counts:
    """What was open or under way of some tokens when they were stopped."""

    ws: int = 0
    bridge: int = 0
    orders: int = 0
