"""Outcome of a command that was found later: its result, and the answer to its request.

The result is what the broker must have answered, judged by what the terminal shows: of an order
that was made (:func:`result_of_order`), or of a change of what was there
(:func:`result_of_change`). :func:`conclude` makes of it the answer as the caller would have been
told it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import TypeAdapter

from ea_bridge import errors
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
from gateway.errors import (
    GatewayError,
    InternalError,
    OrderRejected,
    TerminalDisconnected,
)

from ..journal import journal
from ..journal.intents import CommandRecord, Intent, Presumed, Stage
from ..price_grid import Name
from ..receipts import position_of, receipt_for, told_deals
from ..requests import Deadline, ExecutionOptions, PreparedOrder, part_of, with_outcome
from ..results import Evidence
from ..terminal import ExecutionResult, GuardedTerminal
from .matching import TOGETHER_MS, ObservedOrder
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
    # no deals there: the trade itself has the ticket of the order
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
        # not a lot of it was filled, so the broker has refused it after all
        if order.state in _UNFILLED and order.volume_current == order.volume_initial:
            return TradeResult(retcode=TradeRetcode.REJECT, order=observed.ticket)
        if order.state in _OPEN:
            return TradeResult(retcode=TradeRetcode.PLACED, order=observed.ticket)
    # summed in hundred-millionths: lots are decimal fractions
    filled = sum(round(deal.volume * 10**8) for deal in deals) / 10**8
    if not deals and order is not None:
        # the history may be seconds late with deals; the order knows already how much is left
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
    identifier = position_of(deals)
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
            # a position that has gone, or has other stops, proves nothing: a later change may have
            # set them
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
    # filled or expired before: then the broker can have answered nothing but that it is not there
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
    # a part was closed, and the trade of this ticket has the volume of that part: not this
    # command's
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
    """Return a sort key: how well a trade's close time on MetaTrader 4 fits the command that
    should close it.
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


_REASONS = {
    Presumed.TRACELESS: (
        "Neither the terminal nor the broker shows it: it is taken for not executed"
    ),
    Presumed.SUPERSEDED: (
        "What it was to change is not as it asked, or is gone: it was not executed, or something "
        "later has undone it"
    ),
    Presumed.ASSIGNED: (
        "Of several equal requests not all were executed, and the oldest were: this one is taken "
        "for not executed"
    ),
    Presumed.BY_HAND: "A person has settled it: it was not executed",
}
_NAMES = TypeAdapter(list[Name])


async def conclude(
    terminal: GuardedTerminal, intent: Intent, *, can_wait: bool = False
) -> tuple[Stage, bytes | None]:
    """Return how an intent has ended, all of whose commands have, and its answer.

    Raises:
        TerminalDisconnected: the terminal has gone before it told all that a receipt says, and
            ``can_wait`` until it is back.

    """
    # one command that was executed decides: what came before it, a refused filling mode, did
    # nothing
    done = next((send for send in intent.sends if send.stage is Stage.DONE), None)
    if done is not None and done.result is not None:
        return Stage.DONE, await _receipt(terminal, intent, done, done.result, can_wait=can_wait)
    rejected = [send for send in intent.sends if send.stage is Stage.REJECTED]
    # the last word is the answer: an earlier refusal led to another try
    if rejected and rejected[-1] is intent.sends[-1]:
        error = await _rejection(terminal, rejected[-1])
        with_outcome(error, intent.asked.client_order_id, "rejected")
        return Stage.REJECTED, journal.encode_error(error)
    never: GatewayError = TerminalDisconnected(
        "The command did not reach the terminal", terminal=terminal.name
    )
    if not intent.sends:
        never = InternalError("The disk of the gateway failed over it, so nothing was done")
    with_outcome(never, intent.asked.client_order_id, "not_sent")
    return Stage.NOT_SENT, journal.encode_error(never)


async def _receipt(
    terminal: GuardedTerminal,
    intent: Intent,
    send: CommandRecord,
    result: TradeResult,
    *,
    can_wait: bool,
) -> bytes | None:
    if not intent.asked.method:
        return None  # nobody waits for the receipt of what the gateway did by itself
    context = send.context
    trade = PreparedOrder(
        request=send.request,
        options=ExecutionOptions(
            client_order_id=intent.asked.client_order_id,
            # the caller's deadline is long over; nothing is sent any more, so any will do
            deadline=Deadline.of(terminal.now_ms, None, None),
        ),
        position=context.position,
        closes=context.closes,
        state=None if context.state is None else OrderState(context.state),
        price=context.price,
        symbol_requested=context.symbol_requested,
        moved=_NAMES.validate_python(list(context.moved)),
        tried=context.tried,
    )
    queue_ms = (send.written_ms or send.created_ms) - intent.created_ms
    terminal_ms = (send.ended_ms or send.created_ms) - (send.written_ms or send.created_ms)
    sent = ExecutionResult(result, queue_ms=float(queue_ms), terminal_ms=float(terminal_ms))
    receipt = await receipt_for(terminal, trade, sent, can_wait=can_wait)
    receipt["paper"] = intent.is_paper  # it may have been switched since
    return journal.encode_result(receipt)


async def _rejection(terminal: GuardedTerminal, send: CommandRecord) -> GatewayError:
    if send.result is not None:
        evidence = Evidence(request=send.request, result=send.result)
        return await terminal.refused(send.result.retcode, evidence)
    # nobody has refused it: that it was not executed is concluded, and the answer says from what
    if not send.err and not send.retcode:
        return OrderRejected(_REASONS[send.presumed or Presumed.TRACELESS])
    failed = errors.CommandFailed("order_send", send.err, send.retcode)
    return await terminal.trade_failure(failed, send.request)
