"""Open positions: what there is, and how they end."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ea_bridge import commands
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.chunks import map_chunks
from gateway.errors import (
    AmbiguousSymbol,
    Frozen,
    InvalidVolume,
    MethodNotSupported,
    PositionNotFound,
    PriceChanged,
    RangeTooLarge,
    TerminalDisconnected,
    Timeout,
    UnsupportedFilling,
)
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.trading import orders
from gateway.trading.requests import CloseByRequest, CloseRequest

from .order_params import deviation_of, filling_of, note_left, options_of
from .orders import EVERY_TRADE
from .params import (
    AfterTicket,
    ClientOrderId,
    Comment,
    DeadlineMs,
    FillingParam,
    ListLimit,
    Normalize,
    Points,
    Symbol,
    Ticket,
    TtlMs,
    ValidateOnly,
    Volume,
    page_by_ticket,
)


@method(scope=Scope.READ, raises=(AmbiguousSymbol, RangeTooLarge, TerminalDisconnected, Timeout))
async def get_positions(
    call: Call,
    *,
    symbol: Symbol | None = None,
    ticket: Ticket | None = None,
    limit: ListLimit | None = None,
    after: AfterTicket | None = None,
) -> list[shapes.Position]:
    """Return the open positions, all or those of a symbol, oldest first.

    For changes subscribe to `positions`, for floating profit to `pnl`. With `limit` they come in
    pages by their tickets, as those of `get_orders`.
    """
    symbol = await call.state.symbols.optional(call.terminal, symbol)
    params = commands.FilterParams(symbol=symbol, ticket=ticket, after=after, count=limit)
    positions = await call.terminal.request(commands.POSITIONS_GET, params)
    if limit is not None or after is not None:
        positions = page_by_ticket(positions, limit, after)
    clock = call.terminal.clock
    return await map_chunks(lambda position: convert.position(position, clock), positions)


@method(
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(
        *EVERY_TRADE,
        PositionNotFound,
        InvalidVolume,
        PriceChanged,
        UnsupportedFilling,
        Frozen,
    ),
)
async def close_position(
    call: Call,
    *,
    ticket: Ticket,
    volume: Annotated[
        Volume | None, Field(description="In lots; all of the position if absent.")
    ] = None,
    deviation: Annotated[Points | None, Field(description="In points; 20 if absent.")] = None,
    max_deviation_points: Annotated[
        Points | None, Field(description="Another name of `deviation`.")
    ] = None,
    type_filling: Annotated[
        FillingParam | None, Field(description="Filling mode; chosen from the symbol's if absent.")
    ] = None,
    comment: Comment = "",
    client_order_id: ClientOrderId | None = None,
    ttl_ms: TtlMs | None = None,
    deadline_ms: DeadlineMs | None = None,
    normalize: Normalize = False,
    validate_only: ValidateOnly = False,
) -> shapes.OrderReceipt:
    """Close a position at market, all of it or a part.

    On MetaTrader 4 what is left after a part gets a new ticket: `order.position` of the answer.
    For `data.outcome` of errors see `place_order`.
    """
    how = options_of(
        call,
        client_order_id,
        ttl_ms,
        deadline_ms,
        normalize=normalize,
        validate_only=validate_only,
    )
    with how.before_sending():
        wanted = CloseRequest(
            ticket=ticket,
            volume=volume,
            deviation=deviation_of(deviation, max_deviation_points),
            filling=filling_of(type_filling),
            comment=comment,
        )
    receipt = await orders.close(call.terminal, call.state, wanted, how)
    note_left(call, receipt, ticket)
    return receipt


@method(
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(*EVERY_TRADE, PositionNotFound, MethodNotSupported, Frozen),
)
async def close_by(
    call: Call,
    *,
    position: Annotated[Ticket, Field(description="Ticket of the position to close.")],
    position_by: Annotated[Ticket, Field(description="Ticket of an opposite one.")],
    comment: Comment = "",
    client_order_id: ClientOrderId | None = None,
    ttl_ms: TtlMs | None = None,
    deadline_ms: DeadlineMs | None = None,
    validate_only: ValidateOnly = False,
) -> shapes.OrderReceipt:
    """Close two opposite positions of a symbol against each other, which saves one spread.

    What is left of the larger one stays open. Netting accounts have no opposite positions.
    """
    how = options_of(call, client_order_id, ttl_ms, deadline_ms, validate_only=validate_only)
    pair = CloseByRequest(ticket=position, by=position_by, comment=comment)
    return await orders.close_by(call.terminal, call.state, pair, how)
