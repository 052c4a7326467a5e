"""Ends of requests, concluded from the ends of all their commands."""

from __future__ import annotations

import orjson
import pytest
from scripted_terminal import Scene

from ea_bridge.model import TradeAction, TradeRequest, TradeResult
from gateway.errors import InternalError, OrderRejected, TerminalDisconnected
from gateway.trading.journal import AccountKey, CallKey, CommandRecord, Intent, Stage
from gateway.trading.journal.intents import Presumed
from gateway.trading.reconcile.outcome import conclude
from gateway.trading.requests import ReceiptContext

NOW_MS = 1_780_000_000_000


def command(stage: Stage, **more: object) -> CommandRecord:
    request = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1)
    made = CommandRecord(command_id=1, request=request, context=ReceiptContext(), stage=stage)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def intent(*sends: CommandRecord, method: str = "place_order") -> Intent:
    return Intent(
        asked=CallKey(AccountKey(1, "S"), "a", method, "{}"),
        terminal="mt5-a",
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
        stage=Stage.UNKNOWN,
        sends=list(sends),
    )


async def told(scene: Scene, asked: Intent) -> tuple[Stage, int, str]:
    stage, answer = await conclude(scene.guarded, asked)
    error = orjson.loads(answer or b"{}")["error"]
    assert error["data"]["client_order_id"] == "a"
    return stage, error["code"], error["data"]["outcome"]


async def test_a_request_without_a_command_was_not_sent(scene: Scene) -> None:
    """The disk of the gateway had failed over it."""
    expected = (Stage.NOT_SENT, InternalError.code, "not_sent")
    assert await told(scene, intent()) == expected


async def test_a_command_that_did_not_arrive_was_not_sent(scene: Scene) -> None:
    """Also where the broker had refused a first filling mode."""
    expected = (Stage.NOT_SENT, TerminalDisconnected.code, "not_sent")
    assert await told(scene, intent(command(Stage.NOT_SENT))) == expected
    two = intent(command(Stage.REJECTED), command(Stage.NOT_SENT))
    assert await told(scene, two) == expected


@pytest.mark.parametrize("presumed", list(Presumed))
async def test_a_presumed_end_says_why_it_is_believed(scene: Scene, presumed: Presumed) -> None:
    """It is refused, so that its id is not free."""
    asked = intent(command(Stage.REJECTED, presumed=presumed))
    stage, answer = await conclude(scene.guarded, asked)
    error = orjson.loads(answer or b"")["error"]
    assert (stage, error["code"], error["data"]["outcome"]) == (
        Stage.REJECTED,
        OrderRejected.code,
        "rejected",
    )
    assert "not executed" in error["message"]


async def test_a_done_command_counts_whatever_came_after_it(scene: Scene) -> None:
    """Of a trade of the gateway's own nobody wants the receipt."""
    done = command(Stage.DONE, result=TradeResult(retcode=10009, order=5, deal=6))
    own = intent(done, command(Stage.REJECTED), method="")
    assert await conclude(scene.guarded, own) == (Stage.DONE, None)
