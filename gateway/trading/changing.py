"""Changes of what is there: pending orders, and the stops of positions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

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

from .grid import Grid, Name
from .guard import GuardedTerminal
from .handling import Handling
from .placing import broker_seconds, carry_out, check_platform, lifetime_faults
from .receipts import Trade

Keep = Literal["keep"]
Target = Literal["order", "position"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What shall be different: ``None`` removes, ``"keep"`` leaves it as it is."""

    price: Decimal | None = None
    """``None`` leaves it, since an order cannot be without."""
    stoplimit: Decimal | None = None
    sl: Decimal | Keep | None = "keep"
    tp: Decimal | Keep | None = "keep"
    lifetime: OrderTime | None = None
    expiration_ms: int | None = None

    @property
    def of_order_alone(self) -> list[str]:
        """What only a pending order has."""
        given = {
            "price": self.price,
            "stoplimit": self.stoplimit,
            "type_time": self.lifetime,
            "expiration": self.expiration_ms,
        }
        return [name for name, value in given.items() if value is not None]


async def modify(
    terminal: GuardedTerminal,
    ticket: int,
    change: Change,
    handling: Handling,
    target: Target | None,
) -> shapes.OrderReceipt:
    """Change the pending order with that ticket, or else the stops of that position.

    Raises:
        OrderNotFound: there is neither.
        InvalidParams: nothing to change, or something that a position does not have.

    """
    if target != "position" and terminal.desk.contingent.holds(ticket):
        return await terminal.desk.contingent.modify(terminal, ticket, change, handling)
    with handling.before_sending():
        check_change(change)
    async with terminal.desk.turns.of(handling, ticket):
        with handling.before_sending():
            trade = await _trade(terminal, ticket, change, handling, target)
        return await carry_out(terminal, trade, [])


def check_change(change: Change) -> None:
    """Refuse what changes nothing or makes no sense, before anything is asked.

    Raises:
        InvalidParams: ``data.errors`` names each field.

    """
    if not change.of_order_alone and change.sl == "keep" and change.tp == "keep":
        raise InvalidParams(errors=[{"field": "sl", "reason": "give something to change"}])
    faults = lifetime_faults(change.lifetime, change.expiration_ms)
    if faults:
        raise InvalidParams(errors=faults)


async def _trade(
    terminal: GuardedTerminal,
    ticket: int,
    change: Change,
    handling: Handling,
    target: Target | None,
) -> Trade:
    by_ticket = commands.FilterParams(ticket=ticket)
    if target != "position":
        orders = await terminal.request(commands.ORDERS_GET, by_ticket)
        if orders:
            return await _order_change(terminal, orders[0], change, handling)
    positions = []
    if target != "order":
        positions = await terminal.request(commands.POSITIONS_GET, by_ticket)
    if not positions:
        raise OrderNotFound(
            "There is no such pending order and no such position",
            ticket=ticket,
        )
    if change.of_order_alone:
        reason = "a position has a stop loss and a take profit alone"
        raise InvalidParams(
            errors=[{"field": name, "reason": reason} for name in change.of_order_alone]
        )
    return await _stops_change(terminal, positions[0], change, handling)


async def _order_change(
    terminal: GuardedTerminal, order: Order, change: Change, handling: Handling
) -> Trade:
    check_platform(terminal, order.type, change.lifetime)
    info = await terminal.symbol(order.symbol)
    grid = Grid(info, handling.normalize)
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
    return Trade(
        request=request,
        handling=handling,
        state=OrderState.PLACED,
        price=request.price,
        symbol=info,
        held=order,
        moved=grid.moved,
    )


async def _stops_change(
    terminal: GuardedTerminal, position: Position, change: Change, handling: Handling
) -> Trade:
    info = await terminal.symbol(position.symbol)
    grid = Grid(info, handling.normalize)
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
    return Trade(
        request=request,
        handling=handling,
        position=position.ticket,
        symbol=info,
        held=position,
        moved=grid.moved,
        tier=Tier.REDUCE if _tightens(position, request) else Tier.FULL,
    )


def _tightens(position: Position, request: TradeRequest) -> bool:
    """Whether a change only adds a stop loss, or moves it closer to the market."""
    if request.tp != position.tp or request.sl <= 0:
        return False
    if position.sl <= 0:
        return True
    is_buy = position.type == PositionType.BUY
    return request.sl > position.sl if is_buy else request.sl < position.sl


def _lifetime(order: Order, change: Change) -> int:
    if change.lifetime is not None:
        return change.lifetime
    ends = order.type_time in (OrderTime.SPECIFIED, OrderTime.SPECIFIED_DAY)
    return order.type_time if ends else OrderTime.SPECIFIED


def _kept(grid: Grid, name: Name, given: Decimal | None, present: float) -> float:
    return float(grid.price(name, given)) if given else present


def _stop(grid: Grid, name: Name, given: Decimal | Keep | None, present: float) -> float:
    if given == "keep":
        return present
    return float(grid.price(name, given)) if isinstance(given, Decimal) and given else 0.0


async def cancel(
    terminal: GuardedTerminal, ticket: int, handling: Handling
) -> shapes.OrderReceipt:
    """Remove a pending order.

    Raises:
        OrderNotFound: there is no such pending order (any more).

    """
    if terminal.desk.contingent.holds(ticket):
        return await terminal.desk.contingent.cancel(terminal, ticket, handling)
    async with terminal.desk.turns.of(handling, ticket):
        with handling.before_sending():
            trade = await _removal(terminal, ticket, handling)
        return await carry_out(terminal, trade, [])


async def _removal(terminal: GuardedTerminal, ticket: int, handling: Handling) -> Trade:
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
    return Trade(
        request=request,
        handling=handling,
        state=OrderState.CANCELED,
        price=order.price_open,
        tier=Tier.REDUCE,
    )
