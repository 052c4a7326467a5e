"""Safeguards that stop trading, and what they have done."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType, TypedDict

from .enums import shape

Outcome = TypeAliasType("Outcome", Literal["not_sent", "rejected", "unknown"])
Action = TypeAliasType("Action", Literal["cancel_orders", "cancel_and_close"])
KillCause = TypeAliasType(
    "KillCause", Literal["halt", "resume", "disconnect", "timer", "lease", "account"]
)
KillSwitchTag = TypeAliasType("KillSwitchTag", Literal["kill_switch"])
SweptKind = TypeAliasType("SweptKind", Literal["order", "position"])
DisconnectScope = TypeAliasType("DisconnectScope", Literal["connection", "terminal"])


@shape
class Halt(TypedDict):
    """Trading is halted, by somebody, since some time."""

    everywhere: bool
    """Of all terminals, not of this one alone."""
    armed_by: str
    """`cli`, `console`, `drawdown`, or `token` and its public id."""
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
    """Permission to send new exposure."""

    trading_enabled: bool
    """No halt is there."""
    halts: list[Halt]
    """What has to be lifted before trading goes on: the terminal's own, then that of all."""


@shape
class SweepFailure(TypedDict):
    """An order or a position that is still there, or may be."""

    kind: SweptKind
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
    """Results for many orders and positions."""

    cancelled: list[int]
    """Tickets of the orders that are gone."""
    closed: list[int]
    """Tickets of the positions that are gone."""
    failed: list[SweepFailure]
    paper: bool
    """True: of paper trading; no market has seen it."""
    duplicate: bool
    """This is what an earlier call with the same `client_order_id` was answered."""


@shape
class KillSwitchEvent(TypedDict):
    """``terminal``: trading was halted or goes on, or a program has fallen silent."""

    event: KillSwitchTag
    cause: KillCause
    """``halt`` and ``resume``: by hand. ``disconnect``: a connection was lost for longer than its
    grace. ``timer``: that of ``cancel_all_after``. ``lease``: the gateway itself had fallen
    silent, and the EA has acted; told when it is back. ``account``: nothing was done, the terminal
    is logged in to another account, and what was armed (``cancel_all_after``,
    ``set_cancel_on_disconnect``) waits for the one before."""
    trading_enabled: bool
    """Whether new orders are let through now."""
    armed_by: str | None
    """Who halts trading now; null: nobody."""
    since: int | None
    """UTC milliseconds."""
    everywhere: bool
    """It is about all terminals."""
    cancelled: list[int]
    """Tickets of the orders that are gone."""
    closed: list[int]
    """Tickets of the positions that are gone."""
    failed: list[SweepFailure]
    paper: bool
    """True: what was cancelled and closed was of paper trading."""
    time: int
    """UTC milliseconds."""


@shape
class Countdown(TypedDict):
    """The timer that ``cancel_all_after`` has set."""

    fires_at: int | None
    """UTC milliseconds, if nothing is said until then; null: it is off."""
    timeout_ms: int
    action: Action


@shape
class DisconnectRule(TypedDict):
    """Rule for a connection's orders when the connection is lost."""

    enabled: bool
    scope: DisconnectScope
    action: Action
    grace_ms: int
    session_id: str | None
    """The one of ``hello``, by which the program can come back within the grace; null: it cannot.
    """


@shape
class Farewell(TypedDict):
    """The answer to ``logout``."""

    closing: bool
    """Always true: nothing comes after this."""
