"""A gateway that drains takes no new order, lets risk be taken away, and then nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_answers import ORDER, POSITION
from scripted_terminal import Scene

from gateway.credentials.lease import Tier
from gateway.errors import ShuttingDown
from gateway.trading.kill_switch.switch import Drain, DrainStage, KillSwitch

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


@pytest.fixture(name="switch")
def make_switch(scene: Scene) -> KillSwitch:
    """The switch of the scene's terminal."""
    switch = scene.safeguards.switch = KillSwitch()
    scene.guarded.switch = switch.of("mt5-a")
    return switch


@pytest.mark.parametrize(
    ("stage", "tiers"),
    [
        (DrainStage.OPEN, list(Tier)),
        (DrainStage.DRAINING, [tier for tier in Tier if tier <= Tier.REDUCE]),
        (DrainStage.CLOSED, []),
    ],
)
def test_what_each_stage_lets_through(stage: DrainStage, tiers: list[Tier]) -> None:
    """Everything; what takes risk away; nothing."""
    drain = Drain()
    drain.stage = stage
    let_through = []
    for tier in Tier:
        try:
            drain.check(tier)
        except ShuttingDown:
            continue
        let_through.append(tier)
    assert let_through == tiers


async def test_a_new_order_is_refused_and_not_sent(scene: Scene, switch: KillSwitch) -> None:
    """-32007, to be sent again; and the terminal is not even asked."""
    switch.drain.stage = DrainStage.DRAINING
    with pytest.raises(ShuttingDown) as refused:
        await scene.ask("place_order", **BUY, client_order_id="grid-1")
    assert refused.value.as_dict()["code"] == -32007
    assert refused.value.as_dict()["data"] == {
        "name": "shutting_down",
        "retryable": True,
        "reason": "drain",
        "retry_after_ms": 5000,
        "outcome": "not_sent",
        "client_order_id": "grid-1",
    }
    assert scene.script.asked == []
    assert (await scene.ask("get_trading_enabled")) == {"trading_enabled": False, "halts": []}


@pytest.mark.parametrize(
    ("method", "ticket"), [("close_position", POSITION.ticket), ("cancel_order", ORDER.ticket)]
)
async def test_risk_is_taken_away_until_the_end(
    scene: Scene, switch: KillSwitch, method: str, ticket: int
) -> None:
    """While it drains; when the gateway stops no more bytes are written."""
    switch.drain.stage = DrainStage.DRAINING
    await scene.ask(method, ticket=ticket)
    assert len(scene.script.sent) == 1
    switch.drain.stage = DrainStage.CLOSED
    with pytest.raises(ShuttingDown) as refused:
        await scene.ask(method, ticket=ticket)
    assert refused.value.outcome == "not_sent"
    assert len(scene.script.sent) == 1


async def test_the_last_look_stands_before_the_bytes(scene: Scene, switch: KillSwitch) -> None:
    """An order that was let in is stopped where the gateway stops before its bytes are written;
    with the same id it goes through when the drain is lifted.
    """

    def stop() -> None:
        switch.drain.stage = DrainStage.CLOSED

    await scene.ask("get_symbol_info", symbol="EURUSD")
    scene.script.on_the_way = stop
    with pytest.raises(ShuttingDown) as refused:
        await scene.ask("place_order", **BUY, client_order_id="grid-1")
    assert refused.value.outcome == "not_sent"
    assert scene.script.sent == []
    scene.script.on_the_way = lambda: None
    switch.drain.stage = DrainStage.OPEN
    await scene.ask("place_order", **BUY, client_order_id="grid-1")
    assert len(scene.script.sent) == 1
