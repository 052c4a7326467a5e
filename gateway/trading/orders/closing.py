"""Closing positions: by the market, or one by another."""

from __future__ import annotations

from dataclasses import replace

from ea_bridge import commands
from ea_bridge.model import (
    OrderState,
    OrderType,
    Position,
    PositionType,
    TradeAction,
    TradeRequest,
)
from gateway import schemas as shapes
from gateway.credentials.tier import Tier
from gateway.errors import InvalidParams, PositionNotFound
from gateway.trading.requests import CloseByRequest, CloseRequest, OrderRequest, PreparedOrder

from ..price_grid import exact
from ..requests import ExecutionOptions
from ..state import TradingState
from ..terminal import GuardedTerminal
from .execution import carry_out
from .placement import comment_of, prepare


async def close(
    terminal: GuardedTerminal,
    state: TradingState,
    request: CloseRequest,
    options: ExecutionOptions,
) -> shapes.OrderReceipt:
    """Close a position, or part of it, at market.

    The deal names the position, so that it cannot open another: see
    :class:`~ea_bridge.model.TradeRequest` for who sees to that on a netting account.

    Raises:
        PositionNotFound: there is no such position (any more).
        InvalidVolume: more than is open, or off the grid.

    """
    async with state.locks.of(options, request.ticket):
        with options.before_sending():
            position = await _position(terminal, request.ticket)
            prepared = await prepare(terminal, state, _opposite_order(position, request), options)
        prepared = replace(prepared, tier=Tier.REDUCE, closes=_identifier(position))
        return await carry_out(terminal, state, prepared)


def _opposite_order(position: Position, request: CloseRequest) -> OrderRequest:
    everything = exact(position.volume)
    return OrderRequest(
        symbol=position.symbol,
        type=OrderType.SELL if position.type == PositionType.BUY else OrderType.BUY,
        volume=everything if request.volume is None else request.volume,
        magic=position.magic,
        comment=request.comment,
        deviation=request.deviation,
        filling=request.filling,
        # it names the position, so that it cannot open another one
        position=position.ticket,
        closable=everything,
    )


async def close_by(
    terminal: GuardedTerminal,
    state: TradingState,
    request: CloseByRequest,
    options: ExecutionOptions,
) -> shapes.OrderReceipt:
    """Close a position by an opposite one of the same symbol; the rest of the larger one stays.

    Raises:
        InvalidParams: they are not opposite, of two symbols, or one and the same.
        PositionNotFound: one of the two is not there.
        MethodNotSupported: a netting account has no opposite positions.

    """
    async with state.locks.of(options, request.ticket, request.by):
        with options.before_sending():
            prepared = await _prepare_close_by(terminal, request, options)
        return await carry_out(terminal, state, prepared)


async def _prepare_close_by(
    terminal: GuardedTerminal, close: CloseByRequest, options: ExecutionOptions
) -> PreparedOrder:
    hello = terminal.hello
    if hello is not None and hello.mode in ("netting", "exchange"):
        raise terminal.not_supported("hedging")
    position = await _position(terminal, close.ticket)
    opposite = await _position(terminal, close.by)
    _check_opposite(position, opposite)
    request = TradeRequest(
        action=TradeAction.CLOSE_BY,
        magic=position.magic,
        symbol=position.symbol,
        volume=min(position.volume, opposite.volume),
        type=int(OrderType.CLOSE_BY),
        position=close.ticket,
        position_by=close.by,
        comment=comment_of(terminal, options, close.comment),
    )
    return PreparedOrder(
        request=request,
        options=options,
        position=close.ticket,
        closes=_identifier(position),
        state=OrderState.FILLED,
    )


def _check_opposite(position: Position, opposite: Position) -> None:
    reason = ""
    if position.ticket == opposite.ticket:
        reason = "a position cannot be closed by itself"
    elif position.symbol != opposite.symbol:
        reason = f"it is of {opposite.symbol}, and the other one of {position.symbol}"
    elif position.type == opposite.type:
        reason = "both are of the same side"
    if reason:
        raise InvalidParams(errors=[{"field": "position_by", "reason": reason}])


def _identifier(position: Position) -> int:
    return position.identifier or position.ticket


async def _position(terminal: GuardedTerminal, ticket: int) -> Position:
    found = await terminal.request(commands.POSITIONS_GET, commands.FilterParams(ticket=ticket))
    if not found:
        raise PositionNotFound(ticket=ticket)
    return found[0]
