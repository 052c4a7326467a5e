"""Stops that follow the market by themselves: run by the EA on every tick, without the daemon.

They only ever bring a stop loss closer to the market. All distances are in points of the symbol.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .struct import Integer, Name, Struct

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
