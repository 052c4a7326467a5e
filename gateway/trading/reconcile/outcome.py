"""Answer to a request whose end was found later, as its caller would have been told it."""

from __future__ import annotations

from pydantic import TypeAdapter

from ea_bridge import errors
from ea_bridge.model import OrderState, TradeResult
from gateway.errors import (
    GatewayError,
    InternalError,
    OrderRejected,
    TerminalDisconnected,
)

from ..journal import answers
from ..journal.intents import CommandRecord, Intent, Presumed, Stage
from ..price_grid import Name
from ..receipts import receipt_for
from ..requests import Deadline, ExecutionOptions, PreparedOrder, blame
from ..results import Evidence
from ..terminal import ExecutionResult, GuardedTerminal

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
    done = next((send for send in intent.sends if send.stage is Stage.DONE), None)
    if done is not None and done.result is not None:
        return Stage.DONE, await _receipt(terminal, intent, done, done.result, can_wait=can_wait)
    rejected = [send for send in intent.sends if send.stage is Stage.REJECTED]
    if rejected and rejected[-1] is intent.sends[-1]:
        error = await _rejection(terminal, rejected[-1])
        blame(error, intent.asked.client_order_id, "rejected")
        return Stage.REJECTED, answers.encode_error(error)
    never: GatewayError = TerminalDisconnected(
        "The command did not reach the terminal", terminal=terminal.name
    )
    if not intent.sends:
        never = InternalError("The disk of the gateway failed over it, so nothing was done")
    blame(never, intent.asked.client_order_id, "not_sent")
    return Stage.NOT_SENT, answers.encode_error(never)


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
    return answers.encode_result(receipt)


async def _rejection(terminal: GuardedTerminal, send: CommandRecord) -> GatewayError:
    if send.result is not None:
        evidence = Evidence(request=send.request, result=send.result)
        return await terminal.refused(send.result.retcode, evidence)
    if not send.err and not send.retcode:
        return OrderRejected(_REASONS[send.presumed or Presumed.TRACELESS])
    failed = errors.CommandFailed("order_send", send.err, send.retcode)
    return await terminal.trade_failure(failed, send.request)
