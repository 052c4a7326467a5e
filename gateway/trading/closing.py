"""Closing positions: by the market, or one by another."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace as with_

from ea_bridge import commands
from ea_bridge.model import (
    OrderFilling,
    OrderState,
    OrderType,
    Position,
    PositionType,
    TradeAction,
    TradeRequest,
)
from gateway import shapes
from gateway.errors import PositionNotFound

from .grid import exact
from .guard import GuardedTerminal
from .handling import Handling
from .placing import DEFAULT_DEVIATION, Wish, comment_of, prepare, send, send_filling
from .receipts import Trade, checked_only


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a position shall be closed."""

    ticket: int
    volume: Decimal | None = None
    """``None``: all of it."""
    deviation: int = DEFAULT_DEVIATION
    filling: OrderFilling | None = None
    comment: str = ""


async def close(terminal: GuardedTerminal, exit_: Exit, handling: Handling) -> shapes.OrderReceipt:
    """Close a position, or part of it, at market.

    On a hedging account the deal names the position, so that it cannot open another. On a
    netting account it is an opposite deal of at most the volume that was open a moment before.

    Raises:
        PositionNotFound: there is no such position (any more).
        InvalidVolume: more than is open, or off the grid.

    """
    position = await _position(terminal, exit_.ticket)
    is_long = position.type == PositionType.BUY
    everything = exact(position.volume)
    wish = Wish(
        symbol=position.symbol,
        type=OrderType.SELL if is_long else OrderType.BUY,
        volume=everything if exit_.volume is None else exit_.volume,
        magic=position.magic,
        comment=exit_.comment,
        deviation=exit_.deviation,
        filling=exit_.filling,
        position=position.ticket,
        closable=everything,
    )
    trade, fillings = await prepare(terminal, wish, handling)
    if handling.validate_only:
        return await checked_only(terminal, trade)
    return await send_filling(terminal, trade, fillings)


async def close_by(
    terminal: GuardedTerminal, ticket: int, by: int, handling: Handling, comment: str
) -> shapes.OrderReceipt:
    """Close a position by an opposite one of the same symbol; the rest of the larger one stays.

    Raises:
        PositionNotFound: one of the two is not there.
        MethodNotSupported: a netting account has no opposite positions.

    """
    hello = terminal.hello
    if hello is not None and hello.mode in ("netting", "exchange"):
        raise terminal.not_supported("hedging")
    position = await _position(terminal, ticket)
    opposite = await _position(terminal, by)
    request = TradeRequest(
        action=TradeAction.CLOSE_BY,
        magic=position.magic,
        symbol=position.symbol,
        type=int(OrderType.CLOSE_BY),
        position=ticket,
        position_by=by,
        comment=comment_of(terminal, handling, comment),
    )
    volume = min(position.volume, opposite.volume)
    trade = Trade(
        request=with_(request, volume=volume),
        handling=handling,
        position=ticket,
        state=OrderState.FILLED,
    )
    if handling.validate_only:
        return await checked_only(terminal, trade)
    return await send(terminal, trade)


async def _position(terminal: GuardedTerminal, ticket: int) -> Position:
    found = await terminal.request(commands.POSITIONS_GET, commands.FilterParams(ticket=ticket))
    if not found:
        raise PositionNotFound(ticket=ticket, outcome="not_sent")
    return found[0]
