"""Held orders whose requests the journal lacks: the gateway was killed between the two.

The order waits for its price and will trade. So its request is done for whoever asks, whatever
keeps new orders out by now.
"""

from __future__ import annotations

import orjson

from ea_bridge.model import Order
from gateway.schemas import convert
from gateway.storage.store import StoreError
from gateway.trading.journal import AccountKey, CallKey, Intent, Stage, answers
from gateway.trading.journal.answers import is_same, normalized
from gateway.trading.price_grid import exact
from gateway.trading.state import TradingState
from gateway.trading.terminal import GuardedTerminal

from .records import HeldOrder
from .service import ContingentOrders


def request_of(
    terminal: GuardedTerminal, state: TradingState, client_order_id: str
) -> Intent | None:
    """Return the request for an order that is kept here, as the journal would have it.

    Raises:
        StoreError: held orders cannot be read.

    """
    account, contingent = terminal.account, state.contingent
    if not isinstance(contingent, ContingentOrders):
        return None
    held = contingent.kept(terminal, client_order_id)
    return (
        None if held is None or account is None else _intent(terminal, contingent, account, held)
    )


def _intent(
    terminal: GuardedTerminal, contingent: ContingentOrders, account: AccountKey, held: HeldOrder
) -> Intent:
    order, client_order_id = held.order, held.client_order_id
    created_ms = terminal.clock.to_utc_ms(order.time_setup_msc)
    params = held.asked or _asked_for(order)
    return Intent(
        asked=CallKey(account, client_order_id, "place_order", params),
        terminal=terminal.name,
        created_ms=created_ms,
        updated_ms=created_ms,
        stage=Stage.DONE,
        reconciled=True,
        answer=answers.encode_result(contingent.receipt(terminal, order, client_order_id)),
    )


async def recall(terminal: GuardedTerminal, state: TradingState, asked: CallKey) -> None:
    """Have the journal know the request for an order that is kept here, if it does not.

    Raises:
        ClientOrderIdConflict: the order was placed for another request than this.

    """
    journal, contingent, hello = terminal.journal, state.contingent, terminal.hello
    if asked.is_new or not isinstance(contingent, ContingentOrders):
        return
    if hello is not None and not terminal.is_mt4:
        return  # nothing is held of what MetaTrader 5 has itself, so nothing is looked up
    try:
        held = contingent.kept(terminal, asked.client_order_id)
        known = None if held is None else journal.find(asked.client_order_id)
    except StoreError:
        return  # the journal cannot be read, and tells that itself
    if held is None or (known is not None and known.stage is not Stage.NOT_SENT):
        return
    intent = _intent(terminal, contingent, asked.account, held)
    if not _is_for(held, intent, asked):
        raise answers.conflict(
            intent.asked.method, intent.asked.params, intent.stage, asked.client_order_id
        )
    await journal.recall(asked, contingent.receipt(terminal, held.order, asked.client_order_id))


def _is_for(held: HeldOrder, intent: Intent, asked: CallKey) -> bool:
    """Whether a call asks for what a held order was placed for.

    Where that was not kept with the order only its kind and magic tell for sure: its prices may
    have been changed since, its volume was put onto the grid, its symbol has the broker's name.
    """
    if held.asked or asked.method != intent.asked.method:
        return is_same(intent, asked)
    there, said = (
        normalized(call.method, orjson.loads(call.params)) for call in (intent.asked, asked)
    )
    return (there["type"], there.get("magic", 0)) == (said["type"], said.get("magic", 0))


def _asked_for(order: Order) -> str:
    """Return the params of a held order, as the journal would have them."""
    named = {
        "symbol": order.symbol,
        "type": convert.enums.ORDER_TYPE[order.type],
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
