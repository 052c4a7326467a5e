"""What stops trading, and what it has done."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from .words import shape

Outcome = Literal["not_sent", "rejected", "unknown"]


@shape
class Halt(TypedDict):
    """Trading is halted, by somebody, since some time."""

    everywhere: bool
    """Of all terminals, not of this one alone."""
    armed_by: str
    """`cli`, or `token` and its public id."""
    since: int
    """UTC milliseconds."""
    reason: str
    """What was said; may be empty."""
    reductions: bool
    """Closing, cancelling and tightening stops go on."""
    by_admin: bool
    """Only `mt-gateway resume`, or a token of the scope `admin`, lifts it."""


@shape
class TradingEnabled(TypedDict):
    """Whether new exposure may be sent."""

    trading_enabled: bool
    """No halt is there."""
    halts: list[Halt]
    """What has to be lifted before trading goes on: the terminal's own, then that of all."""


@shape
class SweepFailure(TypedDict):
    """An order or a position that is still there, or may be."""

    kind: Literal["order", "position"]
    ticket: int
    code: int
    """Of the error that it failed with."""
    name: str
    """The same as a word: `market_closed`."""
    message: str
    """For people."""
    outcome: Outcome | None
    """`unknown`: it may be gone. What was not sent or was rejected can be tried again."""


@shape
class Swept(TypedDict):
    """What became of many orders and positions."""

    cancelled: list[int]
    """Tickets of the orders that are gone."""
    closed: list[int]
    """Tickets of the positions that are gone."""
    failed: list[SweepFailure]
    duplicate: bool
    """This is what an earlier call with the same `client_order_id` was answered."""
