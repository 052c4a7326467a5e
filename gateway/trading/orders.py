"""Orders of callers: each function takes a request and returns its receipt.

Placing, modifying and closing have one shape. A request of a caller is *prepared*: it becomes the
terminal's own request, with prices on the grid. Then it is *carried out*: admitted by the rules of
risk, sent once, and told in a receipt.

What changes or closes something waits for its turn first: what is prepared depends on what is open
at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec.structs import replace as with_

from ea_bridge import commands
from ea_bridge.model import (
    BUYS,
    Order,
    OrderFilling,
    OrderState,
    OrderTime,
    OrderType,
    Position,
    PositionType,
    SymbolInfo,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)
from gateway import schemas as shapes
from gateway.credentials.lease import Tier
from gateway.errors import (
    AutotradingDisabled,
    BrokerDisconnected,
    Forbidden,
    GatewayError,
    InvalidParams,
    InvalidPrice,
    InvalidVolume,
    LimitExceeded,
    MarketClosed,
    OrderNotFound,
    PositionNotFound,
    TradeError,
    UnsupportedFilling,
)
from gateway.schemas.convert import refused_check

from .filling import AT_MARKET, allowed_fillings
from .price_grid import Name, PriceGrid, exact
from .receipts import checked_only, receipt_for
from .requests import (
    CloseByRequest,
    CloseRequest,
    ExecutionOptions,
    Keep,
    OrderModification,
    OrderRequest,
    PreparedOrder,
    tagged_comment,
)
from .risk.checker import OrderAdmission
from .state import TradingState
from .terminal import ExecutionResult, GuardedTerminal

# MetaTrader 4 cuts a larger number without a word, and the order would be somebody else's
MT4_MAX_MAGIC = 2**31 - 1
_DAYS = frozenset({OrderTime.DAY, OrderTime.SPECIFIED_DAY})
_STOP_LIMITS = frozenset({OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT})


async def place(
    terminal: GuardedTerminal, state: TradingState, order: OrderRequest, options: ExecutionOptions
) -> shapes.OrderReceipt:
    """Place a new order, and tell what became of it."""
    with options.before_sending():
        terminal.switch.check(Tier.FULL)  # before anything is asked, also while offline
        is_held = state.contingent.emulates(terminal, order)
    if is_held:
        return await state.contingent.place(terminal, state, order, options)
    with options.before_sending():
        prepared = await prepare(terminal, state, order, options)
    try:
        return await carry_out(terminal, state, prepared)
    except BaseException:
        # the symbol may be another by now than when it was asked for: the next order asks again
        state.symbols.forget(prepared.request.symbol)
        raise


async def check(
    terminal: GuardedTerminal, state: TradingState, order: OrderRequest, options: ExecutionOptions
) -> shapes.CheckResult:
    """Tell whether :func:`place` would be let through; the options must be ``validate_only``.

    Raises:
        GatewayError: what is no refusal of the order: params that make no sense, prices and
            volumes off the grid, a terminal that does not answer.

    """
    try:
        receipt = await place(terminal, state, order, options)
    # the params are at fault and not the order: that is an error, and no answer
    except (InvalidPrice, InvalidVolume):
        raise
    except (TradeError, AutotradingDisabled, BrokerDisconnected, Forbidden, LimitExceeded) as no:
        return refused_check(no)
    checked = receipt["check"]
    if checked is None:  # MetaTrader 4 has no OrderCheck
        raise terminal.not_supported("check")
    return checked


async def prepare(
    terminal: GuardedTerminal, state: TradingState, order: OrderRequest, options: ExecutionOptions
) -> PreparedOrder:
    """Return the terminal's request for a new order, with the filling modes to try.

    Raises:
        InvalidParams: a pending order lacks its price, a lifetime its expiration.
        InvalidVolume, InvalidPrice: off the grid.
        MethodNotSupported: MetaTrader 4 cannot do it.

    """
    check_platform(terminal, order.type, order.lifetime, order.magic)
    check_complete(order)
    if _needs_no_price(terminal, order, options):
        info = state.symbols.fresh(terminal, order.symbol)
        if info is not None:
            # what would be refused by what is kept is asked for: the grid may be another by now
            with suppress(InvalidVolume):
                return _prepared(terminal, state, order, options, info)
    if order.position:  # it names the broker's own symbol: another one would close nothing
        info = await terminal.symbol(order.symbol)
    else:
        info = await state.symbols.find(terminal, order.symbol)
    return _prepared(terminal, state, order, options, info)


def _needs_no_price(
    terminal: GuardedTerminal, order: OrderRequest, options: ExecutionOptions
) -> bool:
    """Whether nothing of an order is measured by the market's price, or wants it.

    An order at market without stops, of whom no limit looks at prices, goes to the terminal
    without a question before it. MetaTrader 4 wants the price in each request; on paper, and in
    a check, everything is looked at as it is now. Nothing is awaited from here to the rules of
    risk, so that these are the limits by which they judge.
    """
    return (
        order.type in AT_MARKET
        and not (order.price or order.sl or order.tp or order.position)
        and not (options.validate_only or options.normalize)
        and not (terminal.is_paper or terminal.is_mt4)
        and not terminal.limits().judges_prices
    )


def _prepared(
    terminal: GuardedTerminal,
    state: TradingState,
    order: OrderRequest,
    options: ExecutionOptions,
    info: SymbolInfo,
) -> PreparedOrder:
    grid = PriceGrid(info, options.normalize)
    request = _request(terminal, order, options, grid)
    # the caller's own choice is sent as it is, and never tried again with another mode
    fillings = []
    if order.filling is None:
        allowed = allowed_fillings(info, order.type)
        fillings = state.fillings.first(filling_key(terminal, request), allowed)
    if fillings:
        request = with_(request, type_filling=int(fillings[0]))
    waits = request.action == TradeAction.PENDING
    return PreparedOrder(
        request=request,
        options=options,
        fillings=fillings,
        position=order.position,
        state=OrderState.PLACED if waits else None,
        # as it was put onto the grid; an order at market has none of its own
        price=None if order.price is None else request.price,
        symbol=info,
        symbol_requested=None if order.position else order.symbol,
        moved=grid.moved,
    )


def check_platform(
    terminal: GuardedTerminal, order_type: int, lifetime: OrderTime | None, magic: int = 0
) -> None:
    """Refuse what MetaTrader 4 could not carry out as it was meant.

    Raises:
        MethodNotSupported: it has no stop-limit orders and no orders of the day.
        InvalidParams: its magic is an ``int`` of 32 bits; it would cut others.

    """
    if terminal.platform != "mt4":
        return
    if order_type in _STOP_LIMITS:
        raise terminal.not_supported("stop_limit")
    if lifetime in _DAYS:
        raise terminal.not_supported("type_time_day")
    if magic > MT4_MAX_MAGIC:
        reason = f"MetaTrader 4 takes at most {MT4_MAX_MAGIC}"
        raise InvalidParams(errors=[{"field": "magic", "reason": reason}])


def check_complete(order: OrderRequest) -> None:
    """Refuse what is incomplete, before anything is asked.

    Raises:
        InvalidParams: ``data.errors`` names each field.

    """
    missing = []
    if order.type not in AT_MARKET and order.price is None:
        missing.append({"field": "price", "reason": "a pending order needs its price"})
    if order.type in _STOP_LIMITS and order.stoplimit is None:
        missing.append({"field": "stoplimit", "reason": "a stop-limit order needs it"})
    if order.type not in _STOP_LIMITS and order.stoplimit is not None:
        missing.append({"field": "stoplimit", "reason": "only for stop-limit orders"})
    missing += lifetime_faults(order.lifetime, order.expiration_ms)
    if order.type in AT_MARKET and (order.lifetime or order.expiration_ms):
        missing.append({"field": "expiration", "reason": "only for pending orders"})
    if missing:
        raise InvalidParams(errors=missing)


def lifetime_faults(lifetime: OrderTime | None, expiration_ms: int | None) -> list[dict[str, str]]:
    """Return what does not fit together in a lifetime."""
    ends = lifetime in (OrderTime.SPECIFIED, OrderTime.SPECIFIED_DAY)
    if ends and expiration_ms is None:
        return [{"field": "expiration", "reason": "needed with this type_time"}]
    if lifetime is not None and not ends and expiration_ms is not None:
        return [{"field": "expiration", "reason": "not with this type_time"}]
    return []


def _request(
    terminal: GuardedTerminal, order: OrderRequest, options: ExecutionOptions, grid: PriceGrid
) -> TradeRequest:
    at_market = order.type in AT_MARKET
    lifetime = order.lifetime
    if lifetime is None:
        lifetime = OrderTime.GTC if order.expiration_ms is None else OrderTime.SPECIFIED
    optional = _optional(grid)
    at = _market(grid.info, order.type) if at_market else 0.0
    return TradeRequest(
        action=TradeAction.DEAL if at_market else TradeAction.PENDING,
        magic=order.magic,
        symbol=grid.info.name,
        volume=float(grid.volume(order.volume, at_most=order.closable)),
        price=optional("price", order.price) or at,
        stoplimit=optional("stoplimit", order.stoplimit),
        sl=optional("sl", order.sl),
        tp=optional("tp", order.tp),
        deviation=order.deviation,
        type=int(order.type),
        type_filling=int(order.filling or OrderFilling.FOK),
        type_time=int(lifetime),
        expiration=broker_seconds(terminal, order.expiration_ms),
        comment=comment_of(terminal, options, order.comment),
        position=order.position or 0,
    )


def _optional(grid: PriceGrid) -> Callable[[Any, Decimal | None], float]:
    def price(name: Any, given: Decimal | None) -> float:
        return float(grid.price(name, given)) if given else 0.0

    return price


def _market(info: SymbolInfo, order_type: OrderType) -> float:
    return info.ask if order_type in BUYS else info.bid


def broker_seconds(terminal: GuardedTerminal, utc_ms: int | None) -> int:
    """Return a moment as MetaTrader wants it; 0 for none."""
    return 0 if utc_ms is None else terminal.clock.to_broker_ms(utc_ms) // 1000


def comment_of(terminal: GuardedTerminal, options: ExecutionOptions, comment: str) -> str:
    """Return the comment that goes to the broker: the tag of the id, then the caller's."""
    hello = terminal.hello
    login, server = (0, "") if hello is None else (hello.login, hello.server)
    return tagged_comment(login, server, options.client_order_id, comment)


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
    # the lock comes before the look: what "keep" keeps is what the change before this one has left
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
        # orders first: on MetaTrader 4 a filled one goes on as a position of the same ticket
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
    # MODIFY sets all values at once, so that what shall stay is sent again as it is
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
        # moving a stop closer must stay possible while trading is halted
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
    # two cancels of one order: the second finds it gone, and sends nothing
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
            # looked up under the lock: a close before this one may have taken a part of it
            position = await _position(terminal, request.ticket)
            prepared = await prepare(terminal, state, _opposite_order(position, request), options)
        # prepare() knows of no closing: it makes an order that may open, which takes the tier FULL
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
    # both at once, and TicketLocks takes them in one order: two that cross would wait for each
    # other
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
        # the broker closes as much as both have
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
        tier=Tier.REDUCE,
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
    # a reversal on a netting account changes the ticket; MetaTrader 4 has tickets alone
    return position.identifier or position.ticket


async def _position(terminal: GuardedTerminal, ticket: int) -> Position:
    found = await terminal.request(commands.POSITIONS_GET, commands.FilterParams(ticket=ticket))
    if not found:
        raise PositionNotFound(ticket=ticket)
    return found[0]


async def carry_out(
    terminal: GuardedTerminal, state: TradingState, order: PreparedOrder
) -> shapes.OrderReceipt:
    """Send an order, or only check it, as its caller wants.

    If the broker refuses a filling mode that was ours to choose, the second choice is tried once.

    That refusal is final, so nothing can happen twice; after any other answer nothing is sent
    again.
    """
    with order.options.before_sending():
        admission = await state.admit(terminal, order)
        # after the rules of risk, so that a check tells what an order would meet
        if order.options.validate_only:
            return await checked_only(terminal, order)
    journal, client_order_id = terminal.journal, order.options.client_order_id
    # nothing is awaited until the journal begins with it, so it begins in this account or not
    account = terminal.account
    with admission.watched():
        try:
            order, result = await _send(terminal, state, order, admission)
        except GatewayError as error:
            await journal.close(account, client_order_id, error)
            raise
        except BaseException as error:
            # a fault of ours, or the daemon ends: what may have been sent is looked for
            await asyncio.shield(journal.close(account, client_order_id, error))
            raise
        await journal.close(account, client_order_id, None)
        return await receipt_for(terminal, order, result)


async def _send(
    terminal: GuardedTerminal, state: TradingState, order: PreparedOrder, admission: OrderAdmission
) -> tuple[PreparedOrder, ExecutionResult]:
    """Send an order, with its second filling mode if need be; return it as it was taken."""
    try:
        return order, await _send_once(terminal, state, order, admission)
    # only this refusal says for sure that another mode may be taken; there is one more try, since
    # each counts as an order at the broker
    except UnsupportedFilling as refused:
        if refused.data.get("retcode") != TradeRetcode.INVALID_FILL or len(order.fillings) < 2:
            raise
    except MarketClosed as closed:
        sessions = state.risk.sessions
        # asked after the broker has said no: a table that is wrong keeps nobody from trading
        closed.data["opens_at"] = await sessions.opens_at(terminal, order.request.symbol)
        raise
    first, second = order.fillings[:2]
    request = with_(order.request, type_filling=int(second))
    # the same intent, so the same id: the journal notes a second command under it
    again = replace(order, request=request, tried=(int(first),))
    return again, await _send_once(terminal, state, again, admission)


async def _send_once(
    terminal: GuardedTerminal, state: TradingState, order: PreparedOrder, admission: OrderAdmission
) -> ExecutionResult:
    sent = await terminal.execute(order, day=admission.day)
    admission.done(sent.result)
    key = filling_key(terminal, order.request)
    # what the broker took is tried first the next time, whatever the symbol says of itself
    state.fillings.accepted(key, order.request.type_filling)
    return sent


def filling_key(terminal: GuardedTerminal, request: TradeRequest) -> Hashable:
    """Return what has a filling mode of its own: a symbol at a broker, by the kind of order."""
    return (terminal.account, request.symbol, request.action)
