"""Receipts of trades, put together from the request, the answer and the deal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from ea_bridge import commands
from ea_bridge.model import (
    BUYS,
    Deal,
    Order,
    OrderState,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)
from gateway import schemas as shapes
from gateway.errors import GatewayError, TerminalDisconnected
from gateway.schemas.convert import check_result, enums, retcode_name
from gateway.trading.requests import FIRST_HELD, PreparedOrder

from .filling import AT_MARKET
from .price_grid import exact
from .results import Evidence
from .terminal import ExecutionResult, GuardedTerminal

DEAL_DELAYS_S = (0.0, 0.02, 0.05, 0.1, 0.2)
"""When to look for a deal: some terminals know it only a while after the fill."""
LATER_DELAYS_S = (0.5, 1.0, 2.0)
"""When to look as well for what is found out later: no caller waits, and what it says stays."""
NOT_SENT = "not_sent"
"""State of an order that was only validated: MetaTrader has none for it."""
MT4_RECEIPT_LACKS = ("deal", "filling")
_FILLED = frozenset({TradeRetcode.DONE, TradeRetcode.DONE_PARTIAL})
_FILLING_ACTIONS = frozenset({TradeAction.DEAL, TradeAction.CLOSE_BY})


async def receipt_for(
    terminal: GuardedTerminal,
    prepared: PreparedOrder,
    sent: ExecutionResult,
    *,
    can_wait: bool = False,
) -> shapes.OrderReceipt:
    """Return the receipt of a trade that the broker took.

    Args:
        can_wait: nobody waits for it, so it is to lack nothing because the terminal has just gone.

    Raises:
        TerminalDisconnected: it has gone before it told the deals, and ``can_wait``.

    """
    result, request = sent.result, prepared.request
    deals: list[Deal] = []
    fills = request.action in _FILLING_ACTIONS and result.retcode in _FILLED
    # MetaTrader 5 mostly tells both: then no deal is asked for, and the answer is there sooner
    if fills and not (result.price and result.position):
        deals = told_deals(
            request, prepared.closes, await find_deals(terminal, result, can_wait=can_wait)
        )
        if not result.position and (identifier := position_of(deals)):
            ticket = await _ticket_now(terminal, prepared, identifier)
            result = replace(result, position=ticket)
    outcome = _outcome(terminal, prepared, result, deals)
    return {
        "sent": True,
        "duplicate": False,
        "paper": terminal.is_paper,
        "changed": result.retcode != TradeRetcode.NO_CHANGES,
        "order": outcome,
        "filling": _filling(terminal, prepared),
        "normalized": prepared.moved,
        "check": None,
        "timing_ms": {"queue": sent.queue_ms, "terminal": sent.terminal_ms},
        "unavailable": list(MT4_RECEIPT_LACKS) if terminal.is_mt4 else [],
    }


def told_deals(request: TradeRequest, closes: int | None, deals: list[Deal]) -> list[Deal]:
    """Return which deals of its order tell what a request has done: of two positions that were
    closed by each other, each of which has one, those of the position that it names.

    Args:
        closes: the identifier of that position, which may have another ticket.

    """
    if request.action != TradeAction.CLOSE_BY:
        return deals
    closed = closes or request.position
    return [deal for deal in deals if deal.position_id == closed] or deals[:1]


async def checked_only(terminal: GuardedTerminal, prepared: PreparedOrder) -> shapes.OrderReceipt:
    """Return the receipt of a trade that was only validated.

    Terminals without ``OrderCheck`` (MetaTrader 4) have no ``check``: then the gateway's own
    checks are all that was done, and ``unavailable`` says so.
    """
    terminal.check_tradable(prepared.tier)
    check = None
    lacks = list(MT4_RECEIPT_LACKS) if terminal.is_mt4 else []
    if terminal.can("check"):
        check = await _order_check(terminal, prepared.request)
    else:
        lacks.append("check")
    unsent = TradeResult(retcode=0)
    return {
        "sent": False,
        "duplicate": False,
        "paper": terminal.is_paper,
        "changed": False,
        "order": _outcome(terminal, prepared, unsent, []),
        "filling": _filling(terminal, prepared),
        "normalized": prepared.moved,
        "check": check,
        "timing_ms": {"queue": prepared.options.deadline.passed_ms(), "terminal": 0.0},
        "unavailable": lacks,
    }


async def _order_check(terminal: GuardedTerminal, request: TradeRequest) -> shapes.CheckResult:
    """Return what the terminal's ``OrderCheck`` says, with the error that sending would meet."""
    checked = await terminal.request(commands.ORDER_CHECK, request)
    if not checked.retcode:
        return check_result(checked)
    return check_result(
        checked, await terminal.refused(checked.retcode, Evidence(request=request))
    )


def held_receipt(
    terminal: GuardedTerminal, prepared: PreparedOrder, order: Order, *, changed: bool
) -> shapes.OrderReceipt:
    """Return the receipt of an order that the daemon keeps itself: the broker knows nothing of
    it, so there is no retcode.
    """
    outcome = _outcome(terminal, prepared, TradeResult(retcode=0), [])
    validated = prepared.options.validate_only
    return {
        "sent": False,
        "duplicate": False,
        "paper": terminal.is_paper,
        "changed": changed,
        "order": {
            **outcome,
            "order": order.ticket if order.ticket > FIRST_HELD else None,
            "state": NOT_SENT if validated else enums.ORDER_STATE[order.state],
            "comment": order.comment,
            "emulated": True,
        },
        "filling": None,
        "normalized": prepared.moved,
        "check": None,
        "timing_ms": {"queue": prepared.options.deadline.passed_ms(), "terminal": 0.0},
        "unavailable": [*MT4_RECEIPT_LACKS, "check"],
    }


async def find_deals(
    terminal: GuardedTerminal, result: TradeResult, *, can_wait: bool = False
) -> list[Deal]:
    """Return the deals of an order that was filled, waiting a little for them.

    Empty if they do not turn up, or where the terminal has no deals.

    Raises:
        TerminalDisconnected: it has gone, and ``can_wait`` until it is back.

    """
    if not terminal.can("deals") or not result.order:
        return []
    params = commands.HistoryParams(ticket=result.order)
    # MetaTrader may know a deal only a moment after the order's result
    for delay_s in (*DEAL_DELAYS_S, *(LATER_DELAYS_S if can_wait else ())):
        await asyncio.sleep(delay_s)
        try:
            deals = await terminal.request(commands.HISTORY_DEALS_GET, params)
        except GatewayError as error:
            if can_wait and isinstance(error, TerminalDisconnected):
                raise
            return []  # the trade is done: its receipt must not fail over a detail
        if deals:
            return deals
    return []


def _outcome(
    terminal: GuardedTerminal, prepared: PreparedOrder, result: TradeResult, deals: list[Deal]
) -> shapes.OrderOutcome:
    request = prepared.request
    trades = request.action in (TradeAction.DEAL, TradeAction.PENDING)
    filled = request.action in _FILLING_ACTIONS and result.retcode in _FILLED
    volume = result.volume or request.volume
    return {
        "order": result.order or request.order or None,
        "deal": result.deal or (deals[0].ticket if deals else None),
        "position": result.position or prepared.position,
        "client_order_id": prepared.options.client_order_id,
        "emulated": False,
        "symbol": request.symbol,
        "symbol_requested": prepared.symbol_requested,
        "side": ("buy" if request.type in BUYS else "sell") if trades else None,
        "type": _type(request),
        "state": _state(prepared, result),
        "volume": request.volume or None,
        "filled_volume": volume if filled else 0.0,
        "price": prepared.price,
        "avg_price": (result.price or _average(deals)) if filled else None,
        "sl": request.sl or None,
        "tp": request.tp or None,
        "magic": request.magic,
        "comment": request.comment,
        "bid": result.bid or None,
        "ask": result.ask or None,
        "retcode": result.retcode,
        "retcode_name": retcode_name(result.retcode) if result.retcode else None,
        "retcode_external": result.retcode_external,
        "request_id": result.request_id,
        "time": terminal.now_ms(),
    }


def _type(request: TradeRequest) -> str | None:
    if request.action == TradeAction.SLTP:
        return None
    if request.action == TradeAction.CLOSE_BY:
        return "close_by"
    return enums.ORDER_TYPE[request.type]


def _state(prepared: PreparedOrder, result: TradeResult) -> str | None:
    if prepared.request.action == TradeAction.SLTP:
        return None
    if not result.retcode:
        return NOT_SENT
    state = prepared.state
    if state is None:
        state = {
            TradeRetcode.DONE: OrderState.FILLED,
            TradeRetcode.DONE_PARTIAL: OrderState.PARTIAL,
        }.get(TradeRetcode(result.retcode), OrderState.PLACED)
    return enums.ORDER_STATE[state]


def position_of(deals: Sequence[Deal]) -> int:
    """Return the identifier of the position that deals opened or changed; 0 if they tell none."""
    return next((deal.position_id for deal in deals if deal.position_id), 0)


async def _ticket_now(terminal: GuardedTerminal, prepared: PreparedOrder, identifier: int) -> int:
    """Return the ticket that a position has now: deals name its identifier, and one that has
    turned round on a netting account has another ticket since.
    """
    if identifier == prepared.closes and prepared.position:
        return prepared.position
    hello = terminal.hello
    if hello is None or hello.mode == "hedging":
        return identifier
    by_symbol = commands.FilterParams(symbol=prepared.request.symbol)
    try:
        positions = await terminal.request(commands.POSITIONS_GET, by_symbol)
    except GatewayError:
        return identifier  # the trade is done: its receipt must not fail over a detail
    return next((p.ticket for p in positions if p.identifier == identifier), identifier)


def _average(deals: list[Deal]) -> float | None:
    """Average price of the fills, weighted by volume."""
    volume = sum((exact(deal.volume) for deal in deals), Decimal())
    if not volume:
        return None
    paid = sum((exact(deal.volume) * exact(deal.price) for deal in deals), Decimal())
    return float(round(paid / volume, 8))


def _filling(terminal: GuardedTerminal, prepared: PreparedOrder) -> shapes.Filling | None:
    request = prepared.request
    placed = request.action == TradeAction.PENDING or request.type in AT_MARKET
    if terminal.is_mt4 or not placed or request.action not in _WITH_FILLING:
        return None
    tried = [*prepared.tried, request.type_filling]
    return {
        "chosen": enums.ORDER_FILLING[request.type_filling],
        "tried": [enums.ORDER_FILLING[filling] for filling in tried],
    }


_WITH_FILLING = frozenset({TradeAction.DEAL, TradeAction.PENDING})
