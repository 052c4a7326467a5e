"""The limit order that takes the place of a held one."""

from __future__ import annotations

import orjson

from ea_bridge.model import OrderType
from gateway.trading import placing
from gateway.trading.grid import exact
from gateway.trading.journal import CallKey
from gateway.trading.requests import ExecutionOptions, OrderRequest
from gateway.trading.state import TradingState
from gateway.trading.terminal import GuardedTerminal

from .records import HeldOrder
from .stop_limit import LIMITS


async def send_limit(
    terminal: GuardedTerminal, state: TradingState, held: HeldOrder, options: ExecutionOptions
) -> int:
    """Place the limit order of the present attempt, once; return its ticket.

    The journal answers for an attempt that was begun before, also by an earlier run of the
    daemon.

    Raises:
        GatewayError: as of :func:`.placing.place`; with the outcome ``unknown`` for as long as
            the journal does not know it.

    """
    order = held.order
    wish = OrderRequest(
        symbol=order.symbol,
        type=LIMITS[OrderType(order.type)],
        volume=exact(order.volume_initial),
        price=exact(order.price_stoplimit),
        sl=exact(order.sl) if order.sl else None,
        tp=exact(order.tp) if order.tp else None,
        magic=order.magic,
        comment=held.words,
        expiration_ms=held.expiration_ms,
    )
    params = {
        "symbol": wish.symbol,
        "type": wish.type.name.lower(),
        "volume": format(wish.volume, "f"),
        "price": format(exact(order.price_stoplimit), "f"),
        "for": held.client_order_id,
    }
    asked = CallKey(
        terminal.account or held.account,
        options.client_order_id,
        "place_order",
        orjson.dumps(params).decode(),
    )
    journal = terminal.journal
    receipt = await journal.once(asked, lambda: placing.place(terminal, state, wish, options))
    ticket: int | None = receipt["order"]["order"]
    return ticket or 0
