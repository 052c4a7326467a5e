"""Stops that follow the market, and orders that cancel one another."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ea_bridge.model import Trail, TrailTerms
from gateway import shapes, translation
from gateway.auth.caller import Scope
from gateway.catalogue import Call, method
from gateway.errors import (
    InvalidStops,
    MethodNotSupported,
    PositionNotFound,
    TerminalDisconnected,
    Timeout,
)
from gateway.trading.contingent import trails

from .params import Points, Symbol, Ticket

_Position = Annotated[Ticket, Field(description="Of the position.")]


def _trailing_stop(trail: Trail) -> shapes.TrailingStop:
    return {
        "ticket": trail.ticket,
        "symbol": trail.symbol,
        "distance": trail.distance,
        "step": trail.step,
        "activation": trail.activation,
        "break_even": trail.break_even,
        "break_even_offset": trail.break_even_offset,
        "sl": trail.sl or None,
        "moves": trail.moves,
        "retcode": trail.retcode or None,
        "retcode_name": translation.retcode_name(trail.retcode) if trail.retcode else None,
        "runs_in": "terminal",
    }


@method(
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(PositionNotFound, InvalidStops, MethodNotSupported, TerminalDisconnected, Timeout),
)
async def set_trailing_stop(
    call: Call,
    *,
    ticket: _Position,
    distance: Annotated[
        Points,
        Field(
            description="Between the price at which the position would be closed and the stop; "
            "0: it does not trail."
        ),
    ] = 0,
    step: Annotated[Points, Field(description="Least move of the stop; 0: the least.")] = 0,
    activation: Annotated[
        Points, Field(description="Profit from which on it trails; 0: at once.")
    ] = 0,
    break_even: Annotated[
        Points,
        Field(description="Profit at which the stop goes to the opening price; 0: never."),
    ] = 0,
    break_even_offset: Annotated[
        Points, Field(description="How far beyond the opening price it goes then.")
    ] = 0,
) -> shapes.TrailingStop:
    """Let the stop loss of a position follow the market, go to break-even, or both.

    The EA does it on every tick, also while the gateway is down, and its stop only ever comes
    closer to the market. All numbers are in points of the symbol. What was set before is
    replaced. Saying it again is safe, whatever became of the first time. While the console is
    silent, a stop can be set, but not loosened.
    """
    terms = TrailTerms(
        ticket=ticket,
        distance=distance,
        step=step,
        activation=activation,
        break_even=break_even,
        break_even_offset=break_even_offset,
    )
    return _trailing_stop(await trails.begin(call.terminal, terms))


@method(
    scope=Scope.TRADE,
    mutates=True,
    raises=(MethodNotSupported, TerminalDisconnected, Timeout),
)
async def remove_trailing_stop(call: Call, *, ticket: _Position) -> shapes.TrailingStopRemoved:
    """Let the stop loss of a position stay where it is; it is no error if it did not follow."""
    removed = await trails.end(call.terminal, ticket)
    return {
        "removed": removed is not None,
        "trailing_stop": None if removed is None else _trailing_stop(removed),
    }


@method(scope=Scope.READ, raises=(MethodNotSupported, TerminalDisconnected, Timeout))
async def get_trailing_stops(
    call: Call, *, symbol: Symbol | None = None, ticket: Ticket | None = None
) -> list[shapes.TrailingStop]:
    """Return the stops that follow the market, all, of a symbol, or of a position.

    A new stop loss is told on the channel `positions`, as any other.
    """
    return [_trailing_stop(one) for one in await trails.running(call.terminal, symbol, ticket)]
