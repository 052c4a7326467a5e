"""New orders: placed, or only checked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace as with_

from ea_bridge.model import (
    BUYS,
    OrderFilling,
    OrderState,
    OrderTime,
    OrderType,
    SymbolInfo,
    TradeAction,
    TradeRequest,
)
from gateway import schemas as shapes
from gateway.credentials.tier import Tier
from gateway.errors import (
    AutotradingDisabled,
    BrokerDisconnected,
    Forbidden,
    InvalidParams,
    InvalidPrice,
    InvalidVolume,
    LimitExceeded,
    TradeError,
)
from gateway.schemas.convert import refused_check
from gateway.trading.requests import OrderRequest, PreparedOrder

from ..client_ids import tagged_comment
from ..filling import AT_MARKET, allowed_fillings
from ..price_grid import PriceGrid
from ..requests import ExecutionOptions
from ..state import TradingState
from ..terminal import GuardedTerminal
from .execution import carry_out, filling_key

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
    return await carry_out(terminal, state, prepared)


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
    if order.position:  # it names the broker's own symbol: another one would close nothing
        info = await terminal.symbol(order.symbol)
    else:
        info = await state.symbols.find(terminal, order.symbol)
    grid = PriceGrid(info, options.normalize)
    request = _request(terminal, order, options, grid)
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
