"""Orders and stops that hang on something else."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from .enums import shape


@shape
class TrailingStop(TypedDict):
    """Trailing stop of a position: its stop loss follows the market. Distances in points."""

    ticket: int
    """Of the position. What is left of a MetaTrader 4 trade after a partial close has another
    ticket: then this one changes with it."""
    symbol: str
    distance: int
    """Between the price at which the position would be closed and the stop; 0: it does not
    trail."""
    step: int
    """Least move of the stop while it trails."""
    activation: int
    """Profit from which on it trails; 0: at once."""
    break_even: int
    """Profit at which the stop goes to the opening price; 0: never."""
    break_even_offset: int
    """How far beyond the opening price it goes then."""
    sl: float | None
    """The stop loss that it set last; null if it has set none yet."""
    moves: int
    """How often it has moved the stop loss."""
    retcode: int | None
    """Why its last try was refused, if it was: it tries again every second."""
    retcode_name: str | None
    runs_in: Literal["terminal"]
    """The EA moves it on every tick, also while the gateway is down."""


@shape
class TrailingStopRemoved(TypedDict):
    """Trailing stop that was removed; the stop loss stays where it is."""

    removed: bool
    """False: there was none."""
    trailing_stop: TrailingStop | None


@shape
class OcoOrder(TypedDict):
    """One of the orders that are linked."""

    ticket: int
    end: Literal["filled", "canceled", "expired", "rejected", "gone"] | None
    """How it ended: ``gone`` if nobody knows; null while it waits."""


@shape
class OcoLink(TypedDict):
    """Orders of which the first that is filled, even in part, or ends otherwise, cancels the
    others."""

    id: str
    state: Literal["active", "cancelling", "done", "unlinked"]
    """``cancelling``: one has ended, and the others are being cancelled, for as long as it takes;
    ``done``: none of them waits any more."""
    orders: list[OcoOrder]
    problem: str | None
    """Name of the error that the last cancel met; null for none."""
    created: int
    """UTC milliseconds."""
    ended: int | None
    paper: bool
    """True: orders of paper trading."""
    runs_in: Literal["gateway"]
    """The gateway cancels, while it runs and the terminal is linked; what happened meanwhile is
    looked up when both are back. In a fast market more than one may be filled."""
