"""What a receipt must say of a request that the broker has carried out."""

from __future__ import annotations

from collections.abc import Iterator

from ea_bridge.model import Deal, DealEntry, OrderType, TradeAction, TradeRetcode
from ea_bridge.simulation.broker import Broker

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
    if executed.request.action in FILLING:
        told = (receipt.deal, receipt.filled, receipt.price)
        fills = list(_fills(executed, broker))
        if told not in fills:
            found.append(f"fill {told} instead of {fills}")
    if receipt.state in ENDED:
        there = {executed.result.position, *_later(executed, broker)} - {0}
        if (receipt.position or 0) not in (there or {0}):
            found.append(f"position {receipt.position} instead of {there}")
    return found


def is_void(executed: Executed, broker: Broker) -> bool:
    """Whether the broker has taken a request, and filled nothing of it in the end."""
    if executed.result.retcode != TradeRetcode.PLACED:
        return False
    order = broker.books.past_orders.get(executed.result.order)
    return order is not None and order.volume_current == order.volume_initial


def _fills(executed: Executed, broker: Broker) -> Iterator[tuple[int | None, float, float | None]]:
    """Yield what was filled of an order: deal, lots and price; as the broker said it when it took
    the request, and as it was with each deal since, for it may be found out by then.
    """
    request, result = executed.request, executed.result
    fills = result.retcode in FILLED
    yield result.deal or None, result.volume if fills else 0.0, result.price if fills else None
    if broker.terms.platform == "mt4" or request.action == TradeAction.CLOSE_BY:
        return
    lots, paid = 0.0, 0.0
    deals = broker.history_deals(ticket=result.order)
    for deal in deals:
        lots, paid = round(lots + deal.volume, 8), paid + deal.volume * deal.price
        yield deals[0].ticket, lots, round(paid / lots, 8)


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
    deals = broker.history_deals(ticket=executed.result.order)
    if not deals:
        return
    identifier = deals[0].position_id
    if broker.terms.hedging:
        if not executed.result.position:
            yield identifier
        return
    turned = [one for one in broker.history_deals(position=identifier) if _turns(one)]
    before = [one for one in turned if one.ticket < deals[0].ticket]
    yield from (one.order for one in turned if one.ticket >= deals[0].ticket)
    if before and not _turns(deals[0]):  # the ticket that it had when it was filled
        yield before[-1].order
    if not any(one.position.identifier == identifier for one in books.holdings.values()):
        yield identifier


def _turns(deal: Deal) -> bool:
    return deal.entry == DealEntry.INOUT


def _compared(
    intent: Intent, receipt: Reply, executed: Executed
) -> Iterator[tuple[str, object, object]]:
    request, result = executed.request, executed.result
    yield "order", receipt.order, result.order or request.order or None
    if request.action not in FILLING:
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
