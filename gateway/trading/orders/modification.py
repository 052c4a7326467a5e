"""Changes of what is there: of pending orders, of the stops of positions; cancels."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge import commands
from ea_bridge.model import (
    Order,
    OrderState,
    OrderTime,
    Position,
    PositionType,
    TradeAction,
    TradeRequest,
)
from gateway import schemas as shapes
from gateway.credentials.tier import Tier
from gateway.errors import InvalidParams, OrderNotFound
from gateway.trading.requests import Keep, OrderModification, PreparedOrder

from ..price_grid import Name, PriceGrid
from ..requests import ExecutionOptions
from ..state import TradingState
from ..terminal import GuardedTerminal
from .execution import carry_out
from .placement import broker_seconds, check_platform, lifetime_faults


async def modify(
    terminal: GuardedTerminal,
    state: TradingState,
    change: OrderModification,
    options: ExecutionOptions,
) -> shapes.OrderReceipt:
    """Change a pending order, or else the stops of the position with that ticket.

    Raises:
        OrderNotFound: there is neither.
        InvalidParams: nothing to change, or something that a position does not have.

    """
    if change.target != "position" and state.contingent.holds(change.ticket):
        return await state.contingent.modify(terminal, state, change, options)
    with options.before_sending():
        check_change(change)
    async with state.locks.of(options, change.ticket):
        with options.before_sending():
            prepared = await _prepare_change(terminal, change, options)
        return await carry_out(terminal, state, prepared)


def check_change(change: OrderModification) -> None:
    """Refuse what changes nothing or makes no sense, before anything is asked.

    Raises:
        InvalidParams: ``data.errors`` names each field.

    """
    if not change.of_order_alone and change.sl == "keep" and change.tp == "keep":
        raise InvalidParams(errors=[{"field": "sl", "reason": "give something to change"}])
    faults = lifetime_faults(change.lifetime, change.expiration_ms)
    if faults:
        raise InvalidParams(errors=faults)


async def _prepare_change(
    terminal: GuardedTerminal,
    change: OrderModification,
    options: ExecutionOptions,
) -> PreparedOrder:
    by_ticket = commands.FilterParams(ticket=change.ticket)
    if change.target != "position":
        orders = await terminal.request(commands.ORDERS_GET, by_ticket)
        if orders:
            return await _prepare_order_change(terminal, orders[0], change, options)
    positions = []
    if change.target != "order":
        positions = await terminal.request(commands.POSITIONS_GET, by_ticket)
    if not positions:
        raise OrderNotFound(
            "There is no such pending order and no such position",
            ticket=change.ticket,
        )
    if change.of_order_alone:
        reason = "a position has a stop loss and a take profit alone"
        raise InvalidParams(
            errors=[{"field": name, "reason": reason} for name in change.of_order_alone]
        )
    return await _prepare_stops_change(terminal, positions[0], change, options)


async def _prepare_order_change(
    terminal: GuardedTerminal, order: Order, change: OrderModification, options: ExecutionOptions
) -> PreparedOrder:
    check_platform(terminal, order.type, change.lifetime)
    info = await terminal.symbol(order.symbol)
    grid = PriceGrid(info, options.normalize)
    lifetime, expiration = order.type_time, order.time_expiration
    if change.lifetime is not None or change.expiration_ms is not None:
        lifetime = int(_lifetime(order, change))
        expiration = broker_seconds(terminal, change.expiration_ms)
    request = TradeRequest(
        action=TradeAction.MODIFY,
        order=order.ticket,
        magic=order.magic,
        symbol=order.symbol,
        volume=order.volume_current,
        price=_kept(grid, "price", change.price, order.price_open),
        stoplimit=_kept(grid, "stoplimit", change.stoplimit, order.price_stoplimit),
        sl=_stop(grid, "sl", change.sl, order.sl),
        tp=_stop(grid, "tp", change.tp, order.tp),
        type=order.type,
        type_filling=order.type_filling,
        type_time=lifetime,
        expiration=expiration,
        comment=order.comment,
    )
    return PreparedOrder(
        request=request,
        options=options,
        state=OrderState.PLACED,
        price=request.price,
        symbol=info,
        changes=order,
        moved=grid.moved,
    )


async def _prepare_stops_change(
    terminal: GuardedTerminal,
    position: Position,
    change: OrderModification,
    options: ExecutionOptions,
) -> PreparedOrder:
    info = await terminal.symbol(position.symbol)
    grid = PriceGrid(info, options.normalize)
    request = TradeRequest(
        action=TradeAction.SLTP,
        position=position.ticket,
        magic=position.magic,
        symbol=position.symbol,
        sl=_stop(grid, "sl", change.sl, position.sl),
        tp=_stop(grid, "tp", change.tp, position.tp),
        type=position.type,
        comment=position.comment,
    )
    return PreparedOrder(
        request=request,
        options=options,
        position=position.ticket,
        symbol=info,
        changes=position,
        moved=grid.moved,
        tier=Tier.REDUCE if _tightens(position, request) else Tier.FULL,
    )


def _tightens(position: Position, request: TradeRequest) -> bool:
    """Whether a change only adds a stop loss, or moves it closer to the market."""
    # a stop that is taken off adds risk, and another take profit is no tighter stop
    if request.tp != position.tp or request.sl <= 0:
        return False
    if position.sl <= 0:
        return True
    is_buy = position.type == PositionType.BUY
    return request.sl > position.sl if is_buy else request.sl < position.sl


def _lifetime(order: Order, change: OrderModification) -> int:
    if change.lifetime is not None:
        return change.lifetime
    ends = order.type_time in (OrderTime.SPECIFIED, OrderTime.SPECIFIED_DAY)
    return order.type_time if ends else OrderTime.SPECIFIED


def _kept(grid: PriceGrid, name: Name, given: Decimal | None, present: float) -> float:
    return float(grid.price(name, given)) if given else present


def _stop(grid: PriceGrid, name: Name, given: Decimal | Keep | None, present: float) -> float:
    if given == "keep":
        return present
    return float(grid.price(name, given)) if isinstance(given, Decimal) and given else 0.0


async def cancel(
    terminal: GuardedTerminal, state: TradingState, ticket: int, options: ExecutionOptions
) -> shapes.OrderReceipt:
    """Remove a pending order.

    Raises:
        OrderNotFound: there is no such pending order (any more).

    """
    if state.contingent.holds(ticket):
        return await state.contingent.cancel(terminal, ticket, options)
    async with state.locks.of(options, ticket):
        with options.before_sending():
            prepared = await _prepare_removal(terminal, ticket, options)
        return await carry_out(terminal, state, prepared)


async def _prepare_removal(
    terminal: GuardedTerminal, ticket: int, options: ExecutionOptions
) -> PreparedOrder:
    orders = await terminal.request(commands.ORDERS_GET, commands.FilterParams(ticket=ticket))
    if not orders:
        raise OrderNotFound(ticket=ticket)
    order = orders[0]
    request = TradeRequest(
        action=TradeAction.REMOVE,
        order=ticket,
        magic=order.magic,
        symbol=order.symbol,
        type=order.type,
        comment=order.comment,
    )
    return PreparedOrder(
        request=request,
        options=options,
        state=OrderState.CANCELED,
        price=order.price_open,
        tier=Tier.REDUCE,
    )
