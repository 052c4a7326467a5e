"""New orders: from what a caller wants to a request that a terminal understands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec.structs import replace as with_

from ea_bridge.model import (
    OrderFilling,
    OrderState,
    OrderTime,
    OrderType,
    SymbolInfo,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)
from gateway import schemas as shapes
from gateway.credentials.tier import Tier
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
    TradeError,
    UnsupportedFilling,
)
from gateway.schemas.convert import refused_check
from gateway.trading.requests import OrderRequest, PreparedOrder

from .client_ids import tagged_comment
from .filling import AT_MARKET, allowed_fillings
from .grid import Grid
from .receipts import checked_only, receipt_for
from .refusals import BUYS
from .requests import ExecutionOptions
from .risk.admission import Pass
from .state import TradingState
from .terminal import ExecutionResult, GuardedTerminal

MT4_MAX_MAGIC = 2**31 - 1
_DAYS = frozenset({OrderTime.DAY, OrderTime.SPECIFIED_DAY})
_STOP_LIMITS = frozenset({OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT})


async def place(
    terminal: GuardedTerminal, state: TradingState, wish: OrderRequest, options: ExecutionOptions
) -> shapes.OrderReceipt:
    """Check a wish, send it, and tell what became of it."""
    with options.before_sending():
        terminal.switch.check(Tier.FULL)  # before anything is asked, also while offline
        is_held = state.contingent.emulates(terminal, wish)
    if is_held:
        return await state.contingent.place(terminal, state, wish, options)
    with options.before_sending():
        trade, fillings = await prepare(terminal, state, wish, options)
    return await carry_out(terminal, state, trade, fillings)


async def check(
    terminal: GuardedTerminal, state: TradingState, wish: OrderRequest, options: ExecutionOptions
) -> shapes.CheckResult:
    """Tell whether :func:`place` would be let through; the options must be ``validate_only``.

    Raises:
        GatewayError: what is no refusal of the order: params that make no sense, prices and
            volumes off the grid, a terminal that does not answer.

    """
    try:
        receipt = await place(terminal, state, wish, options)
    except (InvalidPrice, InvalidVolume):
        raise
    except (TradeError, AutotradingDisabled, BrokerDisconnected, Forbidden, LimitExceeded) as no:
        return refused_check(no)
    checked = receipt["check"]
    if checked is None:
        raise terminal.not_supported("check")
    return checked


async def carry_out(
    terminal: GuardedTerminal,
    state: TradingState,
    trade: PreparedOrder,
    fillings: list[OrderFilling],
) -> shapes.OrderReceipt:
    """Send a trade, or only check it, as its caller wants.

    If the broker refuses a filling mode that was ours to choose, the second choice is tried once.

    That refusal is final, so nothing can happen twice; after any other answer nothing is sent
    again.
    """
    with trade.options.before_sending():
        going = await state.admit(terminal, trade)
        if trade.options.validate_only:
            return await checked_only(terminal, trade)
    journal, client_order_id = terminal.journal, trade.options.client_order_id
    # nothing is awaited until the journal begins with it, so it begins in this account or not
    account = terminal.account
    with going.watched():
        try:
            trade, sent = await _send(terminal, state, trade, fillings, going)
        except GatewayError as error:
            await journal.close(account, client_order_id, error)
            raise
        except BaseException as error:
            # a fault of ours, or the daemon ends: what may have been sent is looked for
            await asyncio.shield(journal.close(account, client_order_id, error))
            raise
        await journal.close(account, client_order_id, None)
        return await receipt_for(terminal, trade, sent)


async def _send(
    terminal: GuardedTerminal,
    state: TradingState,
    trade: PreparedOrder,
    fillings: list[OrderFilling],
    going: Pass,
) -> tuple[PreparedOrder, ExecutionResult]:
    """Send a trade, with its second filling mode if need be; return it as it was taken."""
    try:
        return trade, await _send_as_it_is(terminal, state, trade, going)
    except UnsupportedFilling as refused:
        if refused.data.get("retcode") != TradeRetcode.INVALID_FILL or len(fillings) < 2:
            raise
    except MarketClosed as closed:
        sessions = state.checks.sessions
        closed.data["opens_at"] = await sessions.opens_at(terminal, trade.request.symbol)
        raise
    first, second = fillings[:2]
    request = with_(trade.request, type_filling=int(second))
    again = replace(trade, request=request, tried=(int(first),))
    return again, await _send_as_it_is(terminal, state, again, going)


async def _send_as_it_is(
    terminal: GuardedTerminal, state: TradingState, trade: PreparedOrder, going: Pass
) -> ExecutionResult:
    sent = await terminal.execute(trade, day=going.day)
    going.done(sent.result)
    key = _filling_key(terminal, trade.request)
    state.fillings.accepted(key, trade.request.type_filling)
    return sent


async def prepare(
    terminal: GuardedTerminal, state: TradingState, wish: OrderRequest, options: ExecutionOptions
) -> tuple[PreparedOrder, list[OrderFilling]]:
    """Return the trade, and the filling modes to try if the caller named none.

    Raises:
        InvalidParams: a pending order lacks its price, a lifetime its expiration.
        InvalidVolume, InvalidPrice: off the grid.
        MethodNotSupported: MetaTrader 4 cannot do it.

    """
    check_platform(terminal, wish.type, wish.lifetime, wish.magic)
    check_wish(wish)
    if wish.position:  # it names the broker's own symbol: another one would close nothing
        info = await terminal.symbol(wish.symbol)
    else:
        info = await state.symbols.find(terminal, wish.symbol)
    grid = Grid(info, options.normalize)
    request = _request(terminal, wish, options, grid)
    fillings = []
    if wish.filling is None:
        allowed = allowed_fillings(info, wish.type)
        fillings = state.fillings.first(_filling_key(terminal, request), allowed)
    if fillings:
        request = with_(request, type_filling=int(fillings[0]))
    waits = request.action == TradeAction.PENDING
    trade = PreparedOrder(
        request=request,
        options=options,
        position=wish.position,
        state=OrderState.PLACED if waits else None,
        price=None if wish.price is None else request.price,
        symbol=info,
        symbol_requested=None if wish.position else wish.symbol,
        moved=grid.moved,
    )
    return trade, fillings


def _filling_key(terminal: GuardedTerminal, request: TradeRequest) -> Hashable:
    """Return what has a filling mode of its own: a symbol at a broker, by the kind of order."""
    return (terminal.account, request.symbol, request.action)


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


def check_wish(wish: OrderRequest) -> None:
    """Refuse what is incomplete, before anything is asked.

    Raises:
        InvalidParams: ``data.errors`` names each field.

    """
    missing = []
    if wish.type not in AT_MARKET and wish.price is None:
        missing.append({"field": "price", "reason": "a pending order needs its price"})
    if wish.type in _STOP_LIMITS and wish.stoplimit is None:
        missing.append({"field": "stoplimit", "reason": "a stop-limit order needs it"})
    if wish.type not in _STOP_LIMITS and wish.stoplimit is not None:
        missing.append({"field": "stoplimit", "reason": "only for stop-limit orders"})
    missing += lifetime_faults(wish.lifetime, wish.expiration_ms)
    if wish.type in AT_MARKET and (wish.lifetime or wish.expiration_ms):
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
    terminal: GuardedTerminal, wish: OrderRequest, options: ExecutionOptions, grid: Grid
) -> TradeRequest:
    at_market = wish.type in AT_MARKET
    lifetime = wish.lifetime
    if lifetime is None:
        lifetime = OrderTime.GTC if wish.expiration_ms is None else OrderTime.SPECIFIED
    optional = _optional(grid)
    return TradeRequest(
        action=TradeAction.DEAL if at_market else TradeAction.PENDING,
        magic=wish.magic,
        symbol=grid.info.name,
        volume=float(grid.volume(wish.volume, at_most=wish.closable)),
        price=optional("price", wish.price) or (_market(grid.info, wish.type) if at_market else 0),
        stoplimit=optional("stoplimit", wish.stoplimit),
        sl=optional("sl", wish.sl),
        tp=optional("tp", wish.tp),
        deviation=wish.deviation,
        type=int(wish.type),
        type_filling=int(wish.filling or OrderFilling.FOK),
        type_time=int(lifetime),
        expiration=broker_seconds(terminal, wish.expiration_ms),
        comment=comment_of(terminal, options, wish.comment),
        position=wish.position or 0,
    )


def _optional(grid: Grid) -> Callable[[Any, Decimal | None], float]:
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
