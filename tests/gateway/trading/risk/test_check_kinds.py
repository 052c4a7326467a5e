"""What each kind of trade is held to: new orders to everything, changes to prices and risk, and
what reduces to next to nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import EURUSD, ORDER, POSITION
from scripted_terminal import CATALOGUE, Scene

from ea_bridge import commands
from gateway.errors import GatewayError, InvalidStops, RiskLimit
from gateway.trading.limits import TradingLimits

NOTHING = TradingLimits(
    auto_trade=False,
    live=False,
    hedging=False,
    allowed_symbols=frozenset(),
    max_lot=Decimal(0),
    max_open_lots=Decimal(0),
    max_notional=Decimal(0),
    max_positions=0,
    max_pending_orders=0,
    collar_bps=0,
    max_tick_age_ms=0,
    require_stop_loss=True,
    risk_pct=Decimal(0),
    check_margin=True,
    orders_per_second=Decimal("0.001"),
    order_burst=1,
    max_orders_per_minute=0,
    max_orders_per_day=0,
    max_symbol_orders=0,
    symbol_window_s=60.0,
    max_identical_orders=0,
    max_daily_loss=Decimal(0),
    max_drawdown_pct=Decimal(0),
    block_unresolved=True,
)


async def ask(scene: Scene, method: str, **params: Any) -> Any:
    return await CATALOGUE[method].answer(scene.call(), params)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("close_position", {"ticket": POSITION.ticket}),
        ("close_position", {"ticket": POSITION.ticket, "volume": 0.04}),
        ("close_by", {"position": POSITION.ticket, "position_by": 5}),
        ("cancel_order", {"ticket": ORDER.ticket}),
        ("modify_order", {"ticket": POSITION.ticket, "sl": 1.0801}),
    ],
)
async def test_what_reduces_is_held_to_no_limit(
    method: str, params: dict[str, Any], scene: Scene
) -> None:
    """A position can be closed and an order cancelled whatever the limits say, again and again."""
    scene.limits = NOTHING
    other = replace(POSITION, ticket=5, identifier=5, type=1)
    scene.script.answers["positions_get"] = lambda p: [
        one for one in (POSITION, other) if p.ticket in (None, one.ticket)
    ]
    asked = len(scene.script.asked)
    for _ in range(3):
        await ask(scene, method, **params)
    assert len(scene.script.sent) == 3
    assert not {"account_get", "order_calc_margin"} & set(scene.script.ops()[asked:])


async def test_nothing_is_asked_for_that_no_limit_needs(scene: Scene) -> None:
    """An order without limits costs what it did: the symbol, its sessions once, the order."""
    for _ in range(2):
        await ask(scene, "place_order", symbol="EURUSD", side="buy", volume=0.1, sl=1.08)
    assert scene.script.ops() == [
        "symbol_get",
        "sessions_get",
        "order_send",
        "symbol_get",
        "order_send",
    ]


@pytest.mark.parametrize(
    ("limits", "params", "rule"),
    [
        (TradingLimits(auto_trade=False), {"price": 1.081}, "auto_trade_enabled"),
        (TradingLimits(allowed_symbols=frozenset()), {"price": 1.081}, "allowed_symbols"),
        (TradingLimits(live=False), {"price": 1.081}, "live_account"),
        (TradingLimits(collar_bps=20), {"price": 1.079}, "price_collar"),
        (TradingLimits(require_stop_loss=True), {"sl": None}, "stop_loss"),
        (TradingLimits(), {"sl": 1.08}, "stops"),
        (TradingLimits(), {"tp": 1.08009}, "stops"),
        (TradingLimits(risk_pct=Decimal("0.01")), {"sl": 1.05}, "risk_pct"),
        (TradingLimits(risk_pct=Decimal("0.01"), no_stop_loss=False), {"sl": None}, "risk_pct"),
        (TradingLimits(max_lot=Decimal("0.1")), {"price": 1.081}, "max_lot"),
    ],
)
async def test_a_changed_order(
    limits: TradingLimits, params: dict[str, Any], rule: str, scene: Scene
) -> None:
    """The new price and stops of what waits are held to the rules of new ones; the pace too."""
    scene.limits = limits
    scene.hello = replace(scene.hello, trade="real")
    scene.script.answers["order_calc_profit"] = commands.CalculatedAmount(value=-600.0)
    with pytest.raises(GatewayError) as refused:
        await ask(scene, "modify_order", ticket=ORDER.ticket, **params)
    assert refused.value.data["rule"] == rule
    assert refused.value.data["outcome"] == "not_sent"
    assert not scene.script.sent


async def test_a_wider_stop_is_a_larger_risk(scene: Scene) -> None:
    """Of a position: from its opening price, with all its volume."""
    scene.limits = TradingLimits(risk_pct=Decimal("0.01"))
    scene.script.answers["order_calc_profit"] = commands.CalculatedAmount(value=-600.0)
    with pytest.raises(RiskLimit) as refused:
        await ask(scene, "modify_order", ticket=POSITION.ticket, sl=1.02)
    assert refused.value.data["rule"] == "risk_pct"
    (asked,) = scene.script.asked_for("order_calc_profit")
    assert (asked.type, asked.volume) == (0, 0.1)
    assert (asked.price_open, asked.price_close) == (1.08418, 1.02)


async def test_a_stop_that_stays_is_not_looked_at(scene: Scene) -> None:
    """The market has come near to the take profit: the stop loss can be moved all the same."""
    held = replace(POSITION, tp=1.08545)
    scene.script.answers["positions_get"] = [held]
    await ask(scene, "modify_order", ticket=held.ticket, sl=1.081, target="position")
    assert len(scene.script.sent) == 1
    with pytest.raises(InvalidStops):
        await ask(scene, "modify_order", ticket=held.ticket, tp=1.08546, target="position")


async def test_stops_of_a_stop_limit_count_from_its_limit(scene: Scene) -> None:
    """That is where its position would begin."""
    order = {
        "symbol": "EURUSD",
        "type": "buy_stop_limit",
        "volume": 0.1,
        "price": 1.09,
        "stoplimit": 1.085,
    }
    await ask(scene, "place_order", **order, sl=1.0849)
    with pytest.raises(InvalidStops) as refused:
        await ask(scene, "place_order", **order, sl=1.08491)
    assert refused.value.data["limit"] == 1.0849


async def test_validating_takes_nothing(scene: Scene) -> None:
    """Neither of the pace nor of the room that is left."""
    scene.limits = TradingLimits(
        max_orders_per_minute=1,
        max_open_lots=Decimal("0.4"),
        orders_per_second=Decimal("0.001"),
        order_burst=1,
    )
    order = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
    for _ in range(5):
        await ask(scene, "place_order", **order, validate_only=True)
    await ask(scene, "place_order", **order)
    with pytest.raises(GatewayError):
        await ask(scene, "place_order", **order, validate_only=True)


async def test_normalized_numbers_are_those_that_are_checked(scene: Scene) -> None:
    """What is put onto the grid is held to the limits as it will be sent."""
    scene.limits = TradingLimits(max_lot=Decimal("0.5"))
    order = {"symbol": "EURUSD", "side": "buy", "normalize": True}
    receipt = await ask(scene, "place_order", **order, volume=0.509)
    assert receipt["order"]["volume"] == 0.5
    assert receipt["normalized"] == ["volume"]
    scene.script.answers["symbol_get"] = replace(EURUSD, trade_stops_level=0)
    with pytest.raises(RiskLimit):
        await ask(scene, "place_order", **order, volume=0.519)
