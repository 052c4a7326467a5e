"""Late answers of a terminal, taken for the ends of commands."""

from __future__ import annotations

import pytest

from ea_bridge import commands
from ea_bridge.errors import CommandFailed
from ea_bridge.model import TradeAction, TradeRequest, TradeResult, TradeRetcode
from ea_bridge.session import LateResult
from gateway.trading.journal import AccountKey, CallKey, CommandRecord, Intent, Stage
from gateway.trading.journal.intents import Presumed
from gateway.trading.reconcile.patience import Patience
from gateway.trading.reconcile.reported_results import MAX_LATE, ReportedResults, open_sends
from gateway.trading.requests import ReceiptContext

NOW_MS = 1_780_000_000_000


def unknown(command_id: int = 1) -> Intent:
    request = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1)
    send = CommandRecord(
        command_id=command_id, request=request, context=ReceiptContext(), stage=Stage.UNKNOWN
    )
    return Intent(
        asked=CallKey(AccountKey(1, "S"), f"c-{command_id}", "place_order", "{}"),
        terminal="mt5-a",
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
        stage=Stage.UNKNOWN,
        sends=[send],
    )


def late(
    command_id: int = 1,
    *,
    result: TradeResult | None = None,
    error: CommandFailed | None = None,
) -> LateResult:
    request = TradeRequest(action=TradeAction.DEAL)
    return LateResult(command_id, commands.ORDER_SEND, request, result, error)


@pytest.fixture
def reported() -> ReportedResults:
    return ReportedResults("mt5-a", lambda: NOW_MS, Patience(lambda: 0.0))


@pytest.mark.parametrize(
    ("retcode", "stage"),
    [
        (TradeRetcode.DONE, Stage.DONE),
        (TradeRetcode.NO_MONEY, Stage.REJECTED),
        (TradeRetcode.TIMEOUT, Stage.UNKNOWN),
    ],
)
def test_a_late_answer_ends_its_command(
    reported: ReportedResults, retcode: TradeRetcode, stage: Stage
) -> None:
    """Unless the server itself does not know."""
    intent = unknown()
    result = TradeResult(retcode=retcode, order=5, deal=6, volume=0.1, price=1.1)
    reported.late(late(result=result))
    reported.take_late([intent])
    assert intent.sends[0].stage is stage
    assert intent.sends[0].retcode == retcode


@pytest.mark.parametrize(
    ("failed", "stage"),
    [
        (CommandFailed("order_send", commands.TOO_LATE), Stage.NOT_SENT),
        (CommandFailed("order_send", commands.FILE_WRITE_ERROR), Stage.NOT_SENT),
        (CommandFailed("order_send", 0, TradeRetcode.NO_MONEY), Stage.REJECTED),
        (CommandFailed("order_send", 4756), Stage.UNKNOWN),
    ],
)
def test_a_late_refusal_ends_it_if_it_is_final(
    reported: ReportedResults, failed: CommandFailed, stage: Stage
) -> None:
    """An EA that failed without a retcode may have sent the order before."""
    intent = unknown()
    reported.late(late(error=failed))
    reported.take_late([intent])
    assert intent.sends[0].stage is stage
    assert intent.sends[0].is_answered == (stage is not Stage.NOT_SENT)


def test_as_many_late_answers_are_kept_as_are_bounded(reported: ReportedResults) -> None:
    """The oldest go first: its command is found by what the terminal shows."""
    done = TradeResult(retcode=TradeRetcode.DONE, order=5, deal=6, volume=0.1, price=1.1)
    for command_id in range(MAX_LATE + 1):
        reported.late(late(command_id, result=done))
    intents = [unknown(command_id) for command_id in range(MAX_LATE + 1)]
    reported.take_late(intents)
    assert [send.command_id for send in open_sends(intents)] == [0]


def test_what_is_presumed_forgets_the_answer_that_left_it_open(reported: ReportedResults) -> None:
    """That is no reason for a refusal."""
    intent = unknown()
    send = intent.sends[0]
    send.err, send.retcode = 4756, TradeRetcode.TIMEOUT
    reported.presume(send, Presumed.TRACELESS)
    assert (send.stage, send.err, send.retcode) == (Stage.REJECTED, 0, 0)
    assert (send.presumed, send.ended_ms) == (Presumed.TRACELESS, NOW_MS)
