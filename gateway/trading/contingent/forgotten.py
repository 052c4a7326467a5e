"""Held orders whose requests the journal lacks: the gateway was killed between the two.

The order waits for its price and will trade. So its request is done for whoever asks, whatever
keeps new orders out by now.
"""

from __future__ import annotations

import orjson

from ea_bridge.model import Order
from gateway import translation
from gateway.store import StoreError
from gateway.trading.grid import exact
from gateway.trading.guard import GuardedTerminal
from gateway.trading.journal import Asked, Intent, Stage, answers


def request_of(terminal: GuardedTerminal, client_order_id: str) -> Intent | None:
    """Return the request for an order that is kept here, as the journal would have it.

    Raises:
        StoreError: held orders cannot be read.

    """
    account, holding = terminal.account, terminal.desk.contingent
    order = holding.known(terminal, client_order_id)
    if order is None or account is None:
        return None
    created_ms = terminal.clock.to_utc_ms(order.time_setup_msc)
    return Intent(
        asked=Asked(account, client_order_id, "place_order", _asked_for(order)),
        terminal=terminal.name,
        created_ms=created_ms,
        updated_ms=created_ms,
        stage=Stage.DONE,
        reconciled=True,
        answer=answers.of_result(holding.receipt(terminal, order, client_order_id)),
    )


async def recall(terminal: GuardedTerminal, asked: Asked) -> None:
    """Have the journal know the request for an order that is kept here, if it does not."""
    if asked.is_new or asked.method != "place_order" or "stop_limit" not in asked.params:
        return
    journal, holding = terminal.desk.journal, terminal.desk.contingent
    try:
        known = journal.find(asked.client_order_id)
        is_free = known is None or known.stage is Stage.NOT_SENT
        order = holding.known(terminal, asked.client_order_id) if is_free else None
    except StoreError:
        return  # the journal cannot be read, and tells that itself
    if order is not None:
        receipt = holding.receipt(terminal, order, asked.client_order_id)
        await journal.recall(asked, receipt)


def _asked_for(order: Order) -> str:
    """Return the params of a held order, as the journal would have them."""
    named = {
        "symbol": order.symbol,
        "type": translation.word(translation.words.ORDER_TYPE, order.type),
        "magic": order.magic,
    }
    numbers = {
        "volume": order.volume_initial,
        "price": order.price_open,
        "stoplimit": order.price_stoplimit,
        "sl": order.sl,
        "tp": order.tp,
    }
    said = {name: str(exact(number)) for name, number in numbers.items() if number}
    return orjson.dumps({**named, **said}).decode()
