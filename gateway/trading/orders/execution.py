"""Execution of a prepared order: admitted, sent once, and told in a receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import replace

from msgspec.structs import replace as with_

from ea_bridge.model import TradeRequest, TradeRetcode
from gateway import schemas as shapes
from gateway.errors import GatewayError, MarketClosed, UnsupportedFilling

from ..receipts import checked_only, receipt_for
from ..requests import PreparedOrder
from ..risk.checker import OrderAdmission
from ..state import TradingState
from ..terminal import ExecutionResult, GuardedTerminal


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
    except UnsupportedFilling as refused:
        if refused.data.get("retcode") != TradeRetcode.INVALID_FILL or len(order.fillings) < 2:
            raise
    except MarketClosed as closed:
        sessions = state.risk.sessions
        closed.data["opens_at"] = await sessions.opens_at(terminal, order.request.symbol)
        raise
    first, second = order.fillings[:2]
    request = with_(order.request, type_filling=int(second))
    again = replace(order, request=request, tried=(int(first),))
    return again, await _send_once(terminal, state, again, admission)


async def _send_once(
    terminal: GuardedTerminal, state: TradingState, order: PreparedOrder, admission: OrderAdmission
) -> ExecutionResult:
    sent = await terminal.execute(order, day=admission.day)
    admission.done(sent.result)
    key = filling_key(terminal, order.request)
    state.fillings.accepted(key, order.request.type_filling)
    return sent


def filling_key(terminal: GuardedTerminal, request: TradeRequest) -> Hashable:
    """Return what has a filling mode of its own: a symbol at a broker, by the kind of order."""
    return (terminal.account, request.symbol, request.action)
