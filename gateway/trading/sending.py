"""One trade request on its way: into the journal, to the terminal, and what became of it.

The order of things is the promise that an order is never lost and never doubled. First its
command id, request and tag are on the disk; then everything that may stop it is looked at again,
synchronously; then its bytes are written. What is not answered is unknown, and never sent again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ea_bridge import commands, errors, host
from ea_bridge.model import SUCCESSES, TradeRequest, TradeResult
from gateway.credentials.tier import Tier
from gateway.errors import GatewayError, OrderUnresolved
from gateway.trading.requests import ReceiptContext

from .journal import Account, CommandRecord, Stage
from .plausible import is_plausible
from .refusals import NOT_EXECUTED
from .requests import Deadline, blame
from .retcodes import CHECK_AFTER_MS, Evidence, is_final
from .session import Session

if TYPE_CHECKING:
    from .guard import GuardedTerminal

MAX_TTL_MS = 10_000
"""A terminal that has not begun by then must not: its caller has been told that nobody knows."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """A trade that the broker took, and where its milliseconds went."""

    result: TradeResult
    queue_ms: float
    terminal_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """What goes with a trade request."""

    request: TradeRequest
    deadline: Deadline
    client_order_id: str
    tier: Tier
    context: ReceiptContext


async def send_trade(terminal: GuardedTerminal, what: Dispatch) -> Sent:
    """Send one trade request, once; see :meth:`.guard.GuardedTerminal.trade`."""
    journal = terminal.desk.journal
    try:
        terminal.check_tradable(what.tier)
        session = terminal.session
        if session is None:
            raise terminal.offline()
        send = _new_send(terminal, session, what)
        account = Account(session.hello.login, session.hello.server)
        await journal.begin(account, what.client_order_id, send)
    except GatewayError as error:
        raise blame(error, what.client_order_id, "not_sent") from None
    return await _exchange(terminal, session, what, send)


def _new_send(terminal: GuardedTerminal, session: Session, what: Dispatch) -> CommandRecord:
    memo = what.context
    if not terminal.is_paper:
        shown_ms = terminal.clock.shown_ms(host.boot_ms())
        memo = replace(memo, broker_ms=shown_ms, boot=session.hello.boot)
    return CommandRecord(
        command_id=session.new_command_id(),
        request=what.request,
        memo=memo,
        fp=session.hello.fp,
        session=session.id,
        ttl_ms=min(what.deadline.remaining_ms(), MAX_TTL_MS),
        adds_risk=what.tier > Tier.REDUCE,
    )


async def _exchange(
    terminal: GuardedTerminal, session: Session, what: Dispatch, send: CommandRecord
) -> Sent:
    """Write the command, and note in the journal what becomes of it."""
    journal, deadline = terminal.desk.journal, what.deadline
    written_s = deadline.arrived_s

    def before_write() -> None:
        nonlocal written_s
        terminal.check_last(what.tier)
        if terminal.session is not session:
            raise terminal.offline()  # another link, or paper trading was switched meanwhile
        deadline.remaining_ms()
        written_s = host.perf_s()

    try:
        result = await session.request(
            commands.ORDER_SEND,
            what.request,
            ttl_ms=min(deadline.remaining_ms(), MAX_TTL_MS),
            before_write=before_write,
            command_id=send.command_id,
            on_written=lambda: journal.written(send),
            on_ack=lambda: journal.acked(send),
        )
    except errors.OutcomeUnknown as lost:
        journal.ended(send, Stage.UNKNOWN)
        raise _unresolved(what.client_order_id, acked=lost.acked) from lost
    except errors.CommandFailed as failed:
        raise await _refused(terminal, what, send, failed) from failed
    except errors.BridgeError as error:
        journal.ended(send, Stage.NOT_SENT)
        raise blame(terminal.translated(error), what.client_order_id, "not_sent") from error
    except GatewayError as error:
        journal.ended(send, Stage.NOT_SENT)
        raise blame(error, what.client_order_id, "not_sent") from None
    except BaseException:
        journal.ended(send, Stage.UNKNOWN)
        raise
    if result.retcode not in SUCCESSES:
        raise await _denied(terminal, what, send, result)
    if not is_plausible(what.request, result):
        logger.error("terminal %s: this cannot be: %r of %r", terminal.name, result, what.request)
        journal.ended(send, Stage.UNKNOWN, retcode=result.retcode)
        raise _unresolved(what.client_order_id, acked=True)
    journal.ended(send, Stage.DONE, result)
    done_s = host.perf_s()
    return Sent(
        result,
        queue_ms=round((written_s - deadline.arrived_s) * 1000, 3),
        terminal_ms=round((done_s - written_s) * 1000, 3),
    )


async def _refused(
    terminal: GuardedTerminal, what: Dispatch, send: CommandRecord, failed: errors.CommandFailed
) -> GatewayError:
    """Return what the caller is told of the EA's "no"."""
    journal = terminal.desk.journal
    if failed.err == commands.TOO_LATE:
        journal.ended(send, Stage.NOT_SENT, err=failed.err)
        return blame(what.deadline.exceeded(), what.client_order_id, "not_sent")
    if not was_refused(failed.err, failed.retcode):
        journal.ended(send, Stage.UNKNOWN, err=failed.err, retcode=failed.retcode)
        return _unresolved(what.client_order_id, acked=True)
    journal.ended(send, Stage.REJECTED, err=failed.err, retcode=failed.retcode)
    error = await terminal.trade_failure(failed, what.request)
    return blame(error, what.client_order_id, "rejected")


async def _denied(
    terminal: GuardedTerminal, what: Dispatch, send: CommandRecord, result: TradeResult
) -> GatewayError:
    """Return what the caller is told of the broker's "no"."""
    stage = Stage.REJECTED if is_final(result.retcode) else Stage.UNKNOWN
    terminal.desk.journal.ended(send, stage, result)
    evidence = Evidence(request=what.request, result=result)
    error = await terminal.refused(result.retcode, evidence)
    return blame(error, what.client_order_id, "rejected")


def was_refused(err: int, retcode: int) -> bool:
    """Whether the EA's "no" settles it that the trade did not happen.

    It does not where the retcode is none of a refusal, or is that of a success, or where the EA
    failed without one and may have sent the order before.
    """
    if retcode:
        return is_final(retcode)
    return err in NOT_EXECUTED


def _unresolved(client_order_id: str, *, acked: bool) -> OrderUnresolved:
    return OrderUnresolved(
        outcome="unknown",
        client_order_id=client_order_id,
        acked=acked,
        check_after_ms=CHECK_AFTER_MS,
    )
