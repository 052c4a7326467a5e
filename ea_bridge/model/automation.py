"""Rules that the EA carries out by itself: the lease of the daemon, stops that follow the market.

When the daemon falls silent for longer than its lease, the EA cancels and closes. Trails are run
on every tick, with a daemon or without; they only ever bring a stop loss closer to the market.
Their distances are in points of the symbol.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .struct import Integer, Milliseconds, Name, Struct

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


class AutomationLease(Struct, frozen=True, kw_only=True):
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


Points = Annotated[int, Meta(ge=0, le=100_000_000)]


class TrailTerms(Struct, frozen=True, kw_only=True):
    """Terms by which the stop loss of a position follows; without distance and break-even: none.

    The *profit* of a position is how far its closing price (bid of a long one, ask of a short
    one) has moved in its favour since it was opened.
    """

    ticket: Integer
    """Of the position."""
    distance: Points = 0
    """Between the closing price and the stop; 0: it does not trail."""
    step: Points = 0
    """Least move of a stop that is trailed; 0 is the least that the symbol's grid has."""
    activation: Points = 0
    """Profit from which on it trails; 0: at once."""
    break_even: Points = 0
    """Profit at which the stop goes to the opening price, once; 0: never."""
    break_even_offset: Points = 0
    """Distance beyond the opening price to which it goes then, on the side of profit."""


class Trail(Struct, frozen=True, kw_only=True):
    """Trail of one position at the EA, and its state.

    It ends with the position. After a refusal it tries again at a later tick.
    """

    ticket: Integer
    symbol: Name
    distance: Points = 0
    step: Points = 0
    activation: Points = 0
    break_even: Points = 0
    break_even_offset: Points = 0
    sl: float = 0.0
    """The stop loss that it set last; 0 if it has set none yet."""
    moves: Integer = 0
    """Number of times that it has moved the stop loss."""
    retcode: Integer = 0
    """Of the last refusal, until a move succeeds; 0 for none."""
