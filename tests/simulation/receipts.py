"""What a receipt must say of a request that the broker has carried out."""

from __future__ import annotations

from collections.abc import Iterator

from ea_bridge.emulator.broker import Broker
from ea_bridge.model import DealEntry, OrderType, TradeAction, TradeRetcode

from .intents import Intent, Reply
from .truth import Executed

FILLED = frozenset({TradeRetcode.DONE, TradeRetcode.DONE_PARTIAL})
FILLING = frozenset({TradeAction.DEAL, TradeAction.CLOSE_BY})
ENDED = ("filled", "partial")


def faults(intent: Intent, receipt: Reply, executed: Executed, broker: Broker) -> list[str]:
    """Return what a receipt says otherwise than it is."""
    found = [
        f"{name} {told} instead of {there}"
        for name, told, there in _compared(intent, receipt, executed)
        if told != there
    ]
    there = executed.result.position or None
    if receipt.state in ENDED and receipt.position not in (there, *_later(executed, broker)):
        found.append(f"position {receipt.position} instead of {there}")
    return found


def _later(executed: Executed, broker: Broker) -> Iterator[int]:
    """Yield the tickets by which the position of a fill may be known since: where the end was
    found later it is named as it was found then.
    """
    request, books = executed.request, broker.books
    if broker.terms.platform == "mt4":
        if (
            request.action == TradeAction.CLOSE_BY
            and executed.result.position not in books.holdings
        ):
            yield request.position
        return
    deal = books.deals.get(executed.result.deal)
    if deal is None or broker.terms.hedging:
        return
    deals = broker.history_deals(position=deal.position_id)
    turned = [one for one in deals if one.entry == DealEntry.INOUT and one.ticket > deal.ticket]
    yield from (one.order for one in turned)
    if not any(one.position.identifier == deal.position_id for one in books.holdings.values()):
        yield deal.position_id


def _compared(
    intent: Intent, receipt: Reply, executed: Executed
) -> Iterator[tuple[str, object, object]]:
    request, result = executed.request, executed.result
    fills = request.action in FILLING and result.retcode in FILLED
    yield "order", receipt.order, result.order or request.order or None
    if request.action in FILLING:
        yield "deal", receipt.deal, result.deal or None
    if fills:
        yield "filled volume", receipt.filled, result.volume
        yield "price", receipt.price, result.price
    else:
        yield "filled volume", receipt.filled, 0.0
        yield "price", receipt.price, None
    symbol, side, kind, lots, sl, tp, magic = receipt.asked
    yield "symbol", symbol, request.symbol
    yield "stop loss", sl, request.sl or None
    yield "take profit", tp, request.tp or None
    yield "magic", magic, request.magic
    yield "lots", lots, request.volume or None
    if request.action in (TradeAction.DEAL, TradeAction.PENDING):
        yield "type", kind, OrderType(request.type).name.lower()
        yield "side", side, "sell" if request.type % 2 else "buy"
    for name, told in (("volume", lots), ("sl", sl), ("tp", tp)):
        if name in intent.params:
            yield f"asked for {name}", told, intent.params[name]
