"""Results of commands, judged by what the terminal shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ea_bridge.model import (
    Deal,
    Order,
    OrderState,
    OrderType,
    Position,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)

from ..journal.intents import CommandRecord
from ..receipts import told_deals
from .matching import TOGETHER_MS
from .observed_order import ObservedOrder, part_of
from .snapshot import AccountSnapshot

_UNFILLED = frozenset({OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED})
_OPEN = frozenset({OrderState.STARTED, OrderState.PLACED, OrderState.REQUEST_ADD})


def result_of_order(
    send: CommandRecord, observed: ObservedOrder, view: AccountSnapshot
) -> TradeResult:
    """Return what the broker must have answered to a command that made this order."""
    order = view.orders.get(observed.ticket) or view.past.get(observed.ticket)
    if send.request.action == TradeAction.PENDING:
        return _pending(order, observed)
    if view.is_mt4:
        return _mt4_trade(send.request, observed, view)
    deals = told_deals(send.request, send.context.closes, view.deals_of(observed.ticket))
    return _deal(order, observed, deals, view)


def _pending(order: Order | None, observed: ObservedOrder) -> TradeResult:
    if order is not None and order.state == OrderState.REJECTED:
        return TradeResult(retcode=TradeRetcode.REJECT, order=observed.ticket)
    return TradeResult(retcode=TradeRetcode.DONE, order=observed.ticket, volume=observed.volume)


def _mt4_trade(request: TradeRequest, order: ObservedOrder, view: AccountSnapshot) -> TradeResult:
    trade: Position | Order | None = view.positions.get(order.ticket) or view.past.get(
        order.ticket
    )
    return TradeResult(
        retcode=TradeRetcode.DONE,
        order=order.ticket,
        position=order.ticket,
        volume=request.volume,
        price=0.0 if trade is None else trade.price_open,
    )


def _deal(
    order: Order | None, observed: ObservedOrder, deals: Sequence[Deal], view: AccountSnapshot
) -> TradeResult:
    if order is not None and not deals:
        if order.state in _UNFILLED and order.volume_current == order.volume_initial:
            return TradeResult(retcode=TradeRetcode.REJECT, order=observed.ticket)
        if order.state in _OPEN:
            return TradeResult(retcode=TradeRetcode.PLACED, order=observed.ticket)
    # summed in hundred-millionths: lots are decimal fractions
    filled = sum(round(deal.volume * 10**8) for deal in deals) / 10**8
    if not deals and order is not None:
        filled = round(order.volume_initial - order.volume_current, 8)
    paid = sum(deal.volume * deal.price for deal in deals)
    # less than the order's volume is a partial fill
    is_whole = not filled or filled >= observed.volume
    return TradeResult(
        retcode=TradeRetcode.DONE if is_whole else TradeRetcode.DONE_PARTIAL,
        order=observed.ticket,
        deal=deals[0].ticket if deals else 0,
        position=_position(deals, view),
        volume=filled or observed.volume,
        price=round(paid / filled, 8) if deals and filled else 0.0,
    )


def _position(deals: Sequence[Deal], view: AccountSnapshot) -> int:
    """Return the position that deals opened or changed, by the ticket that it has now: deals name
    its identifier, and one that has turned round on a netting account has another ticket since.
    """
    identifier = next((deal.position_id for deal in deals if deal.position_id), 0)
    open_now = (
        position.ticket
        for position in view.positions.values()
        if position.identifier == identifier
    )
    return next(open_now, identifier)


def result_of_change(send: CommandRecord, view: AccountSnapshot) -> TradeResult | None:
    """Return what the broker must have answered to a command that changed what was there.

    ``None`` where what is there now does not tell.
    """
    request = send.request
    match request.action:
        case TradeAction.REMOVE:
            return _removal(request, view)
        case TradeAction.MODIFY:
            return _modification(request, view)
        case TradeAction.SLTP:
            position = view.positions.get(request.position)
            is_so = position is not None and _same(
                (position.sl, position.tp), (request.sl, request.tp)
            )
            return TradeResult(retcode=TradeRetcode.DONE) if is_so else None
        case TradeAction.DEAL | TradeAction.CLOSE_BY if view.is_mt4:
            return _mt4_exit(send, view)
    return None


def _removal(request: TradeRequest, view: AccountSnapshot) -> TradeResult | None:
    past = view.past.get(request.order)
    if past is None:
        return None
    was_removed = past.state == OrderState.CANCELED
    retcode = TradeRetcode.DONE if was_removed else TradeRetcode.INVALID_ORDER
    return TradeResult(retcode=retcode, order=request.order)


def _modification(request: TradeRequest, view: AccountSnapshot) -> TradeResult | None:
    order = view.orders.get(request.order) or view.past.get(request.order)
    if order is None:
        return None
    is_so = (
        _same(
            (order.price_open, order.price_stoplimit, order.sl, order.tp),
            (request.price, request.stoplimit, request.sl, request.tp),
        )
        and order.type_time == request.type_time
        and order.time_expiration == request.expiration
    )
    return TradeResult(retcode=TradeRetcode.DONE, order=order.ticket) if is_so else None


def _same(there: Sequence[float], asked: Sequence[float]) -> bool:
    """Whether prices are equal, however a terminal writes its doubles."""
    return all(math.isclose(*pair, rel_tol=1e-9) for pair in zip(there, asked, strict=True))


def _mt4_exit(send: CommandRecord, view: AccountSnapshot) -> TradeResult | None:
    """A trade that is closed stands in the history under its ticket, with the volume closed."""
    request = send.request
    past = view.past.get(request.position)
    if past is None or request.position in view.positions:
        return None
    # MetaTrader 4 closes a ticket once: by its stop or by the command, never by both
    if _was_stopped(past):
        return TradeResult(retcode=TradeRetcode.POSITION_CLOSED)
    stamp_ms = past.time_done_msc or past.time_done * 1000
    if past.volume_initial != request.volume:
        return None
    if not view.is_of_time(send, stamp_ms):
        return None  # somebody else has closed it, before or long after
    if not _is_way_of_closing(request, past, view):
        return None
    return TradeResult(
        retcode=TradeRetcode.DONE,
        order=request.position,
        position=_rest(request, past, view) or request.position,
        volume=request.volume,
        price=past.price_current,
    )


def _is_way_of_closing(request: TradeRequest, past: Order, view: AccountSnapshot) -> bool:
    """Whether a trade on MetaTrader 4 may have been closed as a request asks for: by the market or
    by another trade. Two that are closed by each other end together, and the other one says so.
    """
    if request.action == TradeAction.CLOSE_BY:
        other = view.past.get(request.position_by)
        if other is None:  # the history may be late with it, but what is open has not been closed
            return request.position_by not in view.positions
        return other.time_done_msc == past.time_done_msc
    closed_by = f"close hedge by #{request.position}"
    return not any(other.comment == closed_by for other in view.past.values())


def distance_of_exit(send: CommandRecord, view: AccountSnapshot) -> tuple[bool, int]:
    """Return how far the end of a trade on MetaTrader 4 is from a command that was to close it: of
    several that fit the nearest before it has rather done so than those that were made long ago.
    """
    past = view.past.get(send.exited or 0)
    if past is None:
        return False, 0
    late_ms = view.lateness_ms(send, past.time_done_msc or past.time_done * 1000)
    return late_ms < -TOGETHER_MS, abs(late_ms) // TOGETHER_MS


def _was_stopped(past: Order) -> bool:
    """Whether the server has closed a trade on MetaTrader 4: for want of margin, or at its stop
    loss or take profit, which the comment says; a program may write that as well, so that the
    price has to be there.
    """
    towards = 1 if past.type == OrderType.BUY else -1
    if past.comment.endswith("[sl]"):
        return past.sl > 0 and towards * (past.price_current - past.sl) <= 0
    if past.comment.endswith("[tp]"):
        return past.tp > 0 and towards * (past.price_current - past.tp) >= 0
    return past.comment.startswith("so:")


def _rest(request: TradeRequest, past: Order, view: AccountSnapshot) -> int:
    """Return what is left of a trade on MetaTrader 4 of which a part was closed: it goes on under
    another ticket, and comments tell which; 0 where nothing is left.
    """
    part = part_of(past.comment)
    if part is not None and part.is_next:
        return part.ticket
    of = {request.position, request.position_by} - {0}
    for position in view.positions.values():
        part = part_of(position.comment)
        if part is not None and not part.is_next and part.ticket in of:
            return position.ticket
    return 0
