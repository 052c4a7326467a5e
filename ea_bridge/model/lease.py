"""Lease of the daemon: acts of an EA by itself when the daemon falls silent."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .struct import Integer, Milliseconds, Struct

MIN_LEASE_MS = 2_000
"""Two heartbeats of the daemon's."""
MAX_LEASE_MS = 600_000
LEASE_COMMENT = "lease"
"""Of the orders by which the EA closes positions: no command has made them."""

LeaseMs = Annotated[int, Meta(ge=0, le=MAX_LEASE_MS)]
LeaseAction = Literal["cancel_orders", "cancel_and_close"]


class LeaseTerms(Struct, frozen=True, kw_only=True):
    """Acts to be done once nothing has renewed the lease for ``lease_ms``; 0: none.

    Each ``hb`` of the daemon with a ``lease_ms`` above 0 renews it for so long, from the moment
    at which it is read; nothing else does. A lost link does not end it: that is what it is for.
    A login to another account does, since it is about the orders of the one before: the EA forgets
    it there, with the tickets that it has sent.
    """

    lease_ms: LeaseMs
    action: LeaseAction = "cancel_orders"
    own: bool = False
    """Only orders and positions that came through the gateway: their comment begins with its tag
    (``g`` and nine characters), or the EA has sent them itself."""


class Lease(Struct, frozen=True, kw_only=True):
    """Lease as it is, and its acts since they were last told.

    Once it has run out it is off until it is set again.
    """

    lease_ms: LeaseMs
    action: LeaseAction = "cancel_orders"
    own: bool = False
    fired_msc: Milliseconds = 0
    """Time at which it ran out, by the broker's clock; 0: it did not."""
    cancelled: list[Integer] = field(default_factory=list)
    """Tickets of orders."""
    closed: list[Integer] = field(default_factory=list)
    """Tickets of positions."""
    failed: list[Integer] = field(default_factory=list)
    """Tickets of what is still there: its Experts log says why."""
