"""Orders: what waits, and what is sent to the market."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ea_bridge import commands
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.chunks import map_chunks
from gateway.errors import (
    AmbiguousSymbol,
    AutotradingDisabled,
    BrokerDisconnected,
    Cancelled,
    ClientOrderIdConflict,
    DeadlineExceeded,
    Frozen,
    InsufficientMargin,
    InvalidPrice,
    InvalidStops,
    InvalidVolume,
    KillSwitchActive,
    LimitExceeded,
    MarketClosed,
    MethodNotSupported,
    OrderLimit,
    OrderNotFound,
    OrderRejected,
    OrderUnresolved,
    PositionNotFound,
    PriceChanged,
    RangeTooLarge,
    RiskLimit,
    SymbolNotFound,
    TerminalBusy,
    TerminalDisconnected,
    Timeout,
    TradeDisabled,
    UnsupportedFilling,
)
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.trading.orders import cancel, check, modify, place
from gateway.trading.requests import OrderModification

from .order_params import OrderParams, lifetime_of, note_placed, noted_placing, options_of
from .params import (
    AfterTicket,
    ClientOrderId,
    DeadlineMs,
    LifetimeParam,
    ListLimit,
    Normalize,
    Price,
    StopParam,
    Symbol,
    TargetParam,
    Ticket,
    Time,
    TtlMs,
    ValidateOnly,
    page_by_ticket,
)

EVERY_TRADE = (
    TerminalDisconnected,
    BrokerDisconnected,
    TerminalBusy,
    AutotradingDisabled,
    OrderRejected,
    MarketClosed,
    TradeDisabled,
    OrderUnresolved,
    ClientOrderIdConflict,
    DeadlineExceeded,
    KillSwitchActive,
)
"""What can become of everything that trades."""
_NEW_ORDER = (
    *EVERY_TRADE,
    SymbolNotFound,
    AmbiguousSymbol,
    RiskLimit,
    LimitExceeded,
    InvalidVolume,
    InvalidPrice,
    InvalidStops,
    InsufficientMargin,
    PriceChanged,
    OrderLimit,
    UnsupportedFilling,
    MethodNotSupported,
    Cancelled,
)


@method(scope=Scope.READ, raises=(AmbiguousSymbol, RangeTooLarge, TerminalDisconnected, Timeout))
async def get_orders(
    call: Call,
    *,
    symbol: Symbol | None = None,
    ticket: Ticket | None = None,
    limit: ListLimit | None = None,
    after: AfterTicket | None = None,
) -> list[shapes.Order]:
    """Return the pending orders, all or those of a symbol, oldest first.

    Those that the gateway keeps itself, since the platform has no such orders, are among them
    with `emulated` true. For changes subscribe to `orders`.

    With `limit` they come in pages by their tickets, lowest first: ask again with the last
    ticket as `after`, until a page has fewer. None is lost or told twice, whatever comes and goes
    meanwhile. Without it more than an answer holds is refused with 3003 `range_too_large`.
    """
    symbol = await call.state.symbols.optional(call.terminal, symbol)
    params = commands.FilterParams(symbol=symbol, ticket=ticket, after=after, count=limit)
    orders = await call.terminal.request(commands.ORDERS_GET, params)
    held = call.state.contingent.orders(symbol, ticket)
    if limit is not None or after is not None:
        orders = page_by_ticket(orders + held, limit, after)
    elif held:
        orders = sorted(orders + held, key=lambda order: (order.time_setup, order.ticket))
    return await map_chunks(lambda order: convert.order(order, call.terminal.clock), orders)


@method(scope=Scope.READ, raises=(OrderNotFound, TerminalDisconnected, Timeout))
async def get_order_info(call: Call, *, ticket: Ticket) -> shapes.Order:
    """Return one order by its ticket, pending or past; `state` tells which."""
    terminal = call.terminal
    by_ticket = commands.FilterParams(ticket=ticket)
    held = call.state.contingent
    known = [*held.orders(ticket=ticket), held.past(ticket)]
    if known[0] is not None:
        return convert.order(known[0], terminal.clock)
    orders = await terminal.request(commands.ORDERS_GET, by_ticket)
    if not orders:
        params = commands.HistoryParams(ticket=ticket)
        orders = await terminal.request(commands.HISTORY_ORDERS_GET, params)
    if not orders:
        raise OrderNotFound("There is no such order, pending or past", ticket=ticket)
    return convert.order(orders[0], terminal.clock)


@method(scope=Scope.TRADE, mutates=True, raises=_NEW_ORDER)
async def place_order(
    call: Call,
    *,
    order: OrderParams,
    client_order_id: ClientOrderId | None = None,
    ttl_ms: TtlMs | None = None,
    deadline_ms: DeadlineMs | None = None,
    normalize: Normalize = False,
    validate_only: ValidateOnly = False,
) -> shapes.OrderReceipt:
    """Send a new order: at market, or one that waits.

    Prices and volume must lie on the symbol's grid; they are refused with the grid in the error's
    data, never rounded silently. A symbol may be named without the broker's prefix or suffix; the
    answer says which was taken. The filling mode is chosen from what the symbol allows; the
    answer says which was taken, and which were tried.

    MetaTrader 4 has no stop-limit orders: the gateway keeps them itself (`order.emulated`), and
    when the price is reached it sends the limit order in their place. That works while the
    gateway runs and the terminal is linked, and while the token may trade.

    Every error of a trade says in `data.outcome` what is known: `not_sent` (nothing happened,
    sending again is safe), `rejected` (the broker said no) or `unknown` (2102: the order may have
    been executed; the gateway finds out, and `get_order` tells what). The gateway itself never
    sends an order twice: a call that is repeated with its `client_order_id` is answered as the
    first one was, with `duplicate` true, however much later. So make the id once, outside of what
    repeats the call. An id is free again only after `not_sent`; with other params it is refused
    (2101).
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
        request = order.request()
    # noted before it is sent: a lost connection must find an order that is on its way
    with noted_placing(call, how):
        receipt = await place(call.terminal, call.state, request, how)
        note_placed(call, receipt)
    return receipt


@method(
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(
        *EVERY_TRADE,
        OrderNotFound,
        PositionNotFound,
        InvalidPrice,
        InvalidStops,
        RiskLimit,
        LimitExceeded,
        Frozen,
        UnsupportedFilling,
        MethodNotSupported,
    ),
)
async def modify_order(
    call: Call,
    *,
    ticket: Ticket,
    target: Annotated[
        TargetParam | None,
        Field(description="What the ticket is of; if absent a pending order comes first."),
    ] = None,
    price: Annotated[Price | None, Field(description="Absent or null: as it is.")] = None,
    stoplimit: Annotated[Price | None, Field(description="Absent or null: as it is.")] = None,
    sl: Annotated[
        StopParam | None,
        Field(description="Absent: as it is. null or 0: none any more."),
    ] = "keep",
    tp: Annotated[
        StopParam | None,
        Field(description="Absent: as it is. null or 0: none any more."),
    ] = "keep",
    type_time: Annotated[
        LifetimeParam | None,
        Field(description="Absent or null: as it is; `gtc` ends an expiration."),
    ] = None,
    expiration: Annotated[Time | None, Field(description="Absent or null: as it is.")] = None,
    client_order_id: ClientOrderId | None = None,
    ttl_ms: TtlMs | None = None,
    deadline_ms: DeadlineMs | None = None,
    normalize: Normalize = False,
    validate_only: ValidateOnly = False,
) -> shapes.OrderReceipt:
    """Change a pending order, or the stop loss and take profit of a position.

    What is absent stays as it is. If everything is as asked for already, `changed` is false.
    A position has `sl` and `tp` alone. While the console is silent, a position's stop loss can
    still be added or moved closer to the market, with its take profit as it is.
    """
    change = OrderModification(
        ticket=ticket,
        target=target,
        price=price or None,
        stoplimit=stoplimit or None,
        sl=sl,
        tp=tp,
        lifetime=lifetime_of(type_time),
        expiration_ms=expiration,
    )
    how = options_of(
        call,
        client_order_id,
        ttl_ms,
        deadline_ms,
        normalize=normalize,
        validate_only=validate_only,
    )
    return await modify(call.terminal, call.state, change, how)


@method(
    scope=Scope.TRADE, mutates=True, reduces=True, raises=(*EVERY_TRADE, OrderNotFound, Frozen)
)
async def cancel_order(
    call: Call,
    *,
    ticket: Ticket,
    client_order_id: ClientOrderId | None = None,
    ttl_ms: TtlMs | None = None,
    deadline_ms: DeadlineMs | None = None,
    validate_only: ValidateOnly = False,
) -> shapes.OrderReceipt:
    """Remove a pending order.

    One that was filled meanwhile is not there any more: 2009 `order_not_found`; its position
    stays.
    """
    how = options_of(call, client_order_id, ttl_ms, deadline_ms, validate_only=validate_only)
    return await cancel(call.terminal, call.state, ticket, how)


@method(
    scope=Scope.READ,
    raises=(
        SymbolNotFound,
        AmbiguousSymbol,
        InvalidVolume,
        InvalidPrice,
        MethodNotSupported,
        TerminalDisconnected,
        Timeout,
    ),
)
async def order_check(
    call: Call,
    *,
    order: OrderParams,
    normalize: Normalize = False,
) -> shapes.CheckResult:
    """Tell whether an order would pass, and the account after it (MetaTrader's `OrderCheck`).

    Takes what `place_order` takes, makes its every check and sends nothing. An order that would
    be refused, by the gateway or the broker, is a result with `passes` false, its retcode and the
    `error` of `place_order`; what lies off the symbol's grid is an error, as there.
    MetaTrader 4 has no such check.
    """
    if not call.terminal.can("check"):
        raise call.terminal.not_supported("check")
    request = order.request()
    how = options_of(call, None, None, None, normalize=normalize, validate_only=True)
    return await check(call.terminal, call.state, request, how)
