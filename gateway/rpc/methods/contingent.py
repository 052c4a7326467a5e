"""Stops that follow the market, and orders that cancel one another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field
from typing_extensions import TypeAliasType

from ea_bridge.model import Trail, TrailTerms
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.errors import (
    AmbiguousSymbol,
    GatewayError,
    InternalError,
    InvalidParams,
    InvalidStops,
    MethodNotSupported,
    OrderNotFound,
    PositionNotFound,
    TerminalDisconnected,
    Timeout,
)
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.storage.store import CommitUnsure, StoreError
from gateway.trading.contingent import trailing_stops
from gateway.trading.contingent.oco import MAX_ORDERS, OcoLinks
from gateway.trading.contingent.records import OcoLink
from gateway.trading.contingent.service import ContingentOrders

from .params import Points, Symbol, Ticket

logger = logging.getLogger(__name__)

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
        "retcode_name": convert.retcode_name(trail.retcode) if trail.retcode else None,
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
    return _trailing_stop(await trailing_stops.begin(call.terminal, terms))


@method(
    scope=Scope.TRADE,
    mutates=True,
    raises=(MethodNotSupported, TerminalDisconnected, Timeout),
)
async def remove_trailing_stop(call: Call, *, ticket: _Position) -> shapes.TrailingStopRemoved:
    """Remove the trailing stop of a position; its stop loss stays where it is.

    It is no error if it did not follow.
    """
    removed = await trailing_stops.end(call.terminal, ticket)
    return {
        "removed": removed is not None,
        "trailing_stop": None if removed is None else _trailing_stop(removed),
    }


@method(
    scope=Scope.READ, raises=(AmbiguousSymbol, MethodNotSupported, TerminalDisconnected, Timeout)
)
async def get_trailing_stops(
    call: Call, *, symbol: Symbol | None = None, ticket: Ticket | None = None
) -> list[shapes.TrailingStop]:
    """Return the stops that follow the market, all, of a symbol, or of a position.

    A new stop loss is told on the channel `positions`, as any other.
    """
    symbol = await call.state.symbols.optional(call.terminal, symbol)
    return [
        _trailing_stop(stop)
        for stop in await trailing_stops.running(call.terminal, symbol, ticket)
    ]


# --- one cancels the other -----------------------------------------------------------------

_Tickets = Annotated[
    list[Ticket],
    Field(
        min_length=2,
        max_length=MAX_ORDERS,
        description="Of pending orders, also of those with `emulated` true.",
    ),
]
OcoId = TypeAliasType(
    "OcoId",
    Annotated[str, Field(max_length=64, pattern=r"^oco-[0-9A-Z]+$", description="Its `id`.")],
)


def _links(call: Call) -> OcoLinks:
    orders = call.state.contingent
    if not isinstance(orders, ContingentOrders):
        raise MethodNotSupported(terminal=call.terminal.name, capability="oco")
    return orders.links


def _oco_link(link: OcoLink) -> shapes.OcoLink:
    return {
        "id": link.id,
        "state": link.state,
        "orders": [{"ticket": order.ticket, "end": order.end or None} for order in link.orders],
        "problem": link.problem or None,
        "created": link.created_ms,
        "ended": link.ended_ms,
        "paper": link.account.is_paper,
        "runs_in": "gateway",
    }


@contextmanager
def _nothing_done() -> Iterator[None]:
    """Around what makes or ends a link: its errors say that all is as it was, or that a kill may
    show otherwise.
    """
    try:
        yield
    except GatewayError as error:
        error.data.setdefault("outcome", "not_sent")
        raise
    except CommitUnsure as error:  # before StoreError, of which it is one
        logger.error("a link of orders may be written: %s", error)
        raise InternalError(
            "The disk of the gateway has failed over it: say it again, which is safe, until it is "
            "answered; get_oco_links tells what there is",
            outcome="unknown",
            retryable=True,
        ) from error
    except StoreError as error:
        logger.error("a link of orders is not written: %s", error)
        raise InternalError(
            "The gateway cannot write its ledger, so nothing was done; its log says why",
            outcome="not_sent",
        ) from error


@method(
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(OrderNotFound, TerminalDisconnected, Timeout, InternalError),
)
async def link_oco(call: Call, *, tickets: _Tickets) -> shapes.OcoLink:
    """Let the first of some pending orders that ends cancel the others.

    A fill counts, also of a part. The gateway does it: while it runs and the terminal is linked at
    once, else as soon as they are back; in a fast market more than one may be filled. Linking
    the same orders again returns the link there is. If one of them does not wait any more,
    nothing is linked: 2009 names it.
    """
    with _nothing_done():
        # inside, so that this error too says that nothing was done
        if len(set(tickets)) != len(tickets):
            raise InvalidParams(errors=[{"field": "tickets", "reason": "one is there twice"}])
        link = await _links(call).link(call.terminal, call.caller.tid, tickets)
    return _oco_link(link)


@method(scope=Scope.TRADE, mutates=True, raises=(OrderNotFound, InternalError))
async def unlink_oco(call: Call, *, id: OcoId) -> shapes.OcoLink:
    """Remove the link between OCO orders; the orders themselves stay.

    A link whose orders are being cancelled, or are gone, stays as it is: look at `state`.
    """
    with _nothing_done():
        link = await _links(call).unlink(call.terminal.trading_account, id)
    return _oco_link(link)


@method(scope=Scope.READ)
async def get_oco_links(
    call: Call,
    *,
    past: Annotated[
        int, Field(ge=0, le=1000, description="How many of those that are over, newest first.")
    ] = 0,
) -> list[shapes.OcoLink]:
    """Return which orders cancel one another, oldest first, then those that are over.

    The gateway answers by itself, so this works while the terminal is offline.
    """
    orders = call.state.contingent
    if not isinstance(orders, ContingentOrders):
        return []
    return [
        _oco_link(link) for link in orders.links.list(call.terminal.trading_account, past=past)
    ]
