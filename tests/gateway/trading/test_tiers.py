"""What a silent console leaves: closing, cancelling and tighter stops; then reading."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import ORDER, POSITION
from scripted_terminal import CATALOGUE, Scene

from gateway.auth.caller import Scope
from gateway.credentials.lease import Tier
from gateway.errors import Forbidden, GatewayError
from gateway.rpc.catalogue import Method

METHODS = list(CATALOGUE.values())
REDUCING = {
    "close_position",
    "close_by",
    "cancel_order",
    "modify_order",
    "set_trading_enabled",
    "cancel_all_orders",
    "close_all_positions",
    "cancel_all_after",
    "set_cancel_on_disconnect",
    "set_trailing_stop",
    "link_oco",
}


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
@pytest.mark.parametrize("tier", Tier)
async def test_what_a_tier_opens(method: Method, tier: Tier, scene: Scene) -> None:
    """Reads need READ, what mutates FULL unless it can reduce; before anything is validated."""
    scene.tier = tier
    if method.name in REDUCING:
        needs = Tier.REDUCE
    elif method.mutates:
        needs = Tier.FULL
    else:
        needs = Tier.READ if method.scope is not None else Tier.NONE
    assert needs <= method.tier
    try:
        await method.answer(scene.call(scope=Scope.ADMIN), {"no_such_param": 1})
    except GatewayError as error:
        assert isinstance(error, Forbidden) == (tier < needs)
        assert not method.mutates or error.data["outcome"] == "not_sent"


async def test_a_position_is_closed_by_an_opposite_one(scene: Scene) -> None:
    """Which leaves as much at risk as before, or less."""
    opposite = replace(POSITION, ticket=POSITION.ticket + 1, type=1)
    both = {one.ticket: one for one in (POSITION, opposite)}
    scene.script.answers["positions_get"] = lambda params: [both[params.ticket]]
    scene.tier = Tier.REDUCE
    await scene.ask("close_by", position=POSITION.ticket, position_by=opposite.ticket)
    assert len(scene.script.sent) == 1


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("close_position", {"ticket": POSITION.ticket}),
        ("close_position", {"ticket": POSITION.ticket, "volume": 0.05}),
        ("cancel_order", {"ticket": ORDER.ticket}),
    ],
)
async def test_what_reduces_goes_on(method: str, params: dict[str, Any], scene: Scene) -> None:
    """For as long as the tier lasts; not a moment longer."""
    scene.tier = Tier.REDUCE
    await scene.ask(method, **params)
    assert len(scene.script.sent) == 1

    def lapse() -> None:
        scene.tier = Tier.READ

    scene.script.on_the_way = lapse
    with pytest.raises(Forbidden) as refused:
        await scene.ask(method, **params)
    assert refused.value.data["outcome"] == "not_sent"
    assert len(scene.script.sent) == 1


@pytest.mark.parametrize(
    ("side", "sl", "wish", "is_tighter"),
    [
        (0, 1.08, {"sl": 1.081}, True),
        (0, 1.08, {"sl": 1.079}, False),
        (0, 1.08, {"sl": 1.08}, False),
        (0, 0.0, {"sl": 1.07}, True),
        (0, 1.08, {"sl": None}, False),
        (0, 1.08, {"tp": 1.09}, False),
        (0, 1.08, {"sl": 1.081, "tp": 1.09}, False),
        (1, 1.09, {"sl": 1.089}, True),
        (1, 1.09, {"sl": 1.091}, False),
        (1, 0.0, {"sl": 1.1}, True),
    ],
)
async def test_a_stop_moves_towards_the_market_alone(
    side: int, sl: float, wish: dict[str, Any], is_tighter: bool, scene: Scene
) -> None:
    """For buys up, for sells down; where there is none it is added. Nothing else goes along."""
    scene.script.answers["positions_get"] = [replace(POSITION, type=side, sl=sl)]
    scene.script.answers["orders_get"] = []
    scene.tier = Tier.REDUCE
    try:
        await scene.ask("modify_order", ticket=POSITION.ticket, **wish)
    except Forbidden as refused:
        assert not is_tighter
        assert refused.data["outcome"] == "not_sent"
    assert len(scene.script.sent) == is_tighter


async def test_a_pending_order_is_not_changed(scene: Scene) -> None:
    """It is cancelled, or left as it is."""
    scene.tier = Tier.REDUCE
    with pytest.raises(Forbidden):
        await scene.ask("modify_order", ticket=ORDER.ticket, sl=1.07)
    assert scene.script.sent == []


async def test_an_order_stops_where_the_lease_ends_on_its_way(scene: Scene) -> None:
    """Asked again right before its bytes are written."""

    def lapse() -> None:
        scene.tier = Tier.REDUCE

    scene.script.on_the_way = lapse
    with pytest.raises(Forbidden) as refused:
        await scene.ask("place_order", symbol="EURUSD", side="buy", volume=0.1)
    assert refused.value.data["outcome"] == "not_sent"
    assert scene.script.sent == []
