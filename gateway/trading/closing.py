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
from gateway.trading.requests import CloseRequest, OrderRequest, PreparedOrder

from .grid import exact
from .placing import carry_out, comment_of, prepare
from .requests import ExecutionOptions
from .state import TradingState
from .terminal import GuardedTerminal


async def close(
    terminal: GuardedTerminal, state: TradingState, exit_: CloseRequest, options: ExecutionOptions
) -> shapes.OrderReceipt:
    """Close a position, or part of it, at market.

    The deal names the position, so that it cannot open another: see
    :class:`~ea_bridge.model.TradeRequest` for who sees to that on a netting account.

    Raises:
        PositionNotFound: there is no such position (any more).
        InvalidVolume: more than is open, or off the grid.

    """
    async with state.turns.of(options, exit_.ticket):
        with options.before_sending():
            position = await _position(terminal, exit_.ticket)
            trade, fillings = await prepare(terminal, state, _exit_wish(position, exit_), options)
        trade = replace(trade, tier=Tier.REDUCE, closes=_identifier(position))
        return await carry_out(terminal, state, trade, fillings)


def _exit_wish(position: Position, exit_: CloseRequest) -> OrderRequest:
    everything = exact(position.volume)
    return OrderRequest(
        symbol=position.symbol,
        type=OrderType.SELL if position.type == PositionType.BUY else OrderType.BUY,
        volume=everything if exit_.volume is None else exit_.volume,
        magic=position.magic,
        comment=exit_.comment,
        deviation=exit_.deviation,
        filling=exit_.filling,
        position=position.ticket,
        closable=everything,
    )


async def close_by(
    terminal: GuardedTerminal,
    state: TradingState,
    ticket: int,
    by: int,
    options: ExecutionOptions,
    comment: str,
) -> shapes.OrderReceipt:
    """Close a position by an opposite one of the same symbol; the rest of the larger one stays.

    Raises:
        InvalidParams: they are not opposite, of two symbols, or one and the same.
        PositionNotFound: one of the two is not there.
        MethodNotSupported: a netting account has no opposite positions.

    """
    async with state.turns.of(options, ticket, by):
        with options.before_sending():
            trade = await _against(terminal, ticket, by, options, comment)
        return await carry_out(terminal, state, trade, [])


async def _against(
    terminal: GuardedTerminal, ticket: int, by: int, options: ExecutionOptions, comment: str
) -> PreparedOrder:
    hello = terminal.hello
    if hello is not None and hello.mode in ("netting", "exchange"):
        raise terminal.not_supported("hedging")
    position = await _position(terminal, ticket)
    opposite = await _position(terminal, by)
    _check_opposite(position, opposite)
    request = TradeRequest(
        action=TradeAction.CLOSE_BY,
        magic=position.magic,
        symbol=position.symbol,
        volume=min(position.volume, opposite.volume),
        type=int(OrderType.CLOSE_BY),
        position=ticket,
        position_by=by,
        comment=comment_of(terminal, options, comment),
    )
    return PreparedOrder(
        request=request,
        options=options,
        position=ticket,
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
