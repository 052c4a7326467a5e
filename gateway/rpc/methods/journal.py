"""The journal: what became of a request."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

from pydantic import Field

from ea_bridge import commands
from ea_bridge.model import TradeRequest, TradeResult
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.errors import GatewayError, InternalError, OrderNotFound
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.storage.store import StoreError
from gateway.trading.contingent.service import request_of
from gateway.trading.journal import Intent, Stage
from gateway.trading.journal.views import record
from gateway.trading.reconcile.settlement import SettlementClaim, settle
from gateway.trading.terminal import GuardedTerminal

from .params import ClientOrderId, Ticket

LOOK_S = 2.0
"""How long the terminal may take to say what it knows; the journal's part does not wait longer."""

logger = logging.getLogger(__name__)


@method(scope=Scope.READ, raises=(OrderNotFound,))
async def get_order(call: Call, *, client_order_id: ClientOrderId) -> shapes.OrderRecord:
    """Tell what became of a request by its `client_order_id`; this is authoritative.

    It works while the terminal is offline, and for good: the journal forgets nothing. After an
    `order_unresolved` (2102) ask here before anything else. 2009 `order_not_found`: nothing was
    ever sent under that id for the account that the terminal is logged in to.
    """
    terminal = call.terminal
    try:
        intent = terminal.journal.find(client_order_id)
        if intent is None or intent.stage is Stage.NOT_SENT:
            intent = request_of(terminal, call.state, client_order_id) or intent
    except StoreError:
        raise InternalError("The journal cannot be read; the gateway's log says why") from None
    if intent is None:
        raise OrderNotFound(
            "No request with that client_order_id was sent", client_order_id=client_order_id
        )
    return record(intent, await _now(call, intent))


@method(
    scope=Scope.ADMIN,
    mutates=True,
    keyed=False,
    raises=(OrderNotFound, InternalError),
)
async def settle_order(
    call: Call,
    *,
    client_order_id: Annotated[ClientOrderId, Field(description="Of the one that is unknown.")],
    executed: Annotated[bool, Field(description="Whether the broker has carried it out.")],
    ticket: Annotated[
        Ticket | None,
        Field(
            description="With `executed`: which order of the terminal it is. Of a change "
            "(`modify_order`, `cancel_order`) it may be left out."
        ),
    ] = None,
) -> shapes.OrderRecord:
    """Settle by hand what became of a request whose outcome is unknown.

    For a person who has looked at the terminal, or asked the broker: the gateway finds nearly
    everything out by itself, and what it cannot tell keeps its symbol closed to new orders. From
    here on the request is `done` or `rejected`, also for whoever repeats it, the symbol is open,
    and `orders` tells it.

    Refused is what is not unknown, a ticket that belongs to another request, and, while the
    terminal is linked, one that it does not show or that is of another symbol, type or volume;
    `settlement` says what was looked at. Should the terminal tell otherwise within a day, that
    counts: `orders` tells it once more, with `settlement.time_contradicted`. All of it stands in
    the audit trail.
    """
    said = SettlementClaim(executed, ticket, f"token {call.caller.tid}")
    intent = await settle(call.terminal, client_order_id, said)
    return record(intent, await _now(call, intent))


async def _now(call: Call, intent: Intent) -> shapes.OrderNow | None:
    """Return what is there now of an order's; ``None`` where that cannot be told: what became of
    the order can, all the same.
    """
    terminal = call.terminal
    orders = {ticket for send in intent.sends if (ticket := _order(send.request, send.result))}
    results = [send.result for send in intent.sends if send.result is not None]
    positions = {result.position for result in results if result.position}
    found: shapes.OrderNow = {"orders": [], "positions": [], "past_orders": []}
    try:
        held = call.state.contingent.known(terminal, intent.asked.client_order_id)
    except StoreError:
        logger.warning("held orders cannot be read", exc_info=True)
        return None
    if held is not None:
        waits = call.state.contingent.holds(held.ticket)
        found["orders" if waits else "past_orders"] = [convert.order(held, terminal.clock)]
        return found
    if not (orders or positions) or intent.is_paper != terminal.is_paper:
        return None
    try:
        # what the journal knows must not wait for a terminal that hangs
        async with asyncio.timeout(LOOK_S):
            for ticket in sorted(orders):
                await _order_now(terminal, ticket, found)
            for ticket in sorted(positions):
                by_ticket = commands.FilterParams(ticket=ticket)
                open_ = await terminal.request(commands.POSITIONS_GET, by_ticket)
                found["positions"] += [
                    convert.position(position, terminal.clock) for position in open_
                ]
    except (GatewayError, TimeoutError):
        return None
    return found


async def _order_now(terminal: GuardedTerminal, ticket: int, found: shapes.OrderNow) -> None:
    by_ticket = commands.FilterParams(ticket=ticket)
    waiting = await terminal.request(commands.ORDERS_GET, by_ticket)
    found["orders"] += [convert.order(order, terminal.clock) for order in waiting]
    if not waiting:
        params = commands.HistoryParams(ticket=ticket)
        past = await terminal.request(commands.HISTORY_ORDERS_GET, params)
        found["past_orders"] += [convert.order(order, terminal.clock) for order in past]


def _order(request: TradeRequest, result: TradeResult | None) -> int:
    return (result.order if result is not None else 0) or request.order
