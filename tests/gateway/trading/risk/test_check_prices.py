"""Rules of the prices by which orders are measured: nobody passes a limit by naming another."""

from __future__ import annotations

from typing import Any

import pytest
from checked_orders import BUY, account, lots, place, refused
from msgspec.structs import replace as with_
from scripted_answers import DONE, ORDER, POSITION
from scripted_terminal import CATALOGUE, Scene

from ea_bridge import commands
from ea_bridge.model import OrderType
from gateway.errors import GatewayError, RiskLimit
from gateway.trading.limits import TradingLimits

CONTRACT = 100_000
ASK = 1.08554
STOP_AT_PRICE = {**BUY, "volume": 3, "price": 1.0, "sl": 1.0}


def calculated(params: commands.ProfitParams) -> commands.CalculatedAmount:
    """Return a profit as a terminal calculates it."""
    way = 1 if params.type == OrderType.BUY else -1
    moved = (params.price_close - params.price_open) * way
    return commands.CalculatedAmount(value=moved * params.volume * CONTRACT)


@pytest.fixture
def calculating(scene: Scene) -> Scene:
    """A scene whose terminal calculates."""
    scene.script.answers["order_calc_profit"] = calculated
    return scene


async def modify(scene: Scene, **params: Any) -> Any:
    """Change the order that waits."""
    return await CATALOGUE["modify_order"].answer(scene.call(), {"ticket": ORDER.ticket, **params})


async def test_the_loss_of_a_market_order_counts_from_the_market(calculating: Scene) -> None:
    """Whatever price its caller names: the broker fills it at the market."""
    calculating.limits = TradingLimits(risk_pct=lots("0.01"))
    error = await refused(calculating, **STOP_AT_PRICE)
    assert error.data["rule"] == "risk_pct"
    assert error.data["value"] == pytest.approx(3 * CONTRACT * (ASK - 1.0))


async def test_the_worth_of_a_market_order_is_that_at_the_market(calculating: Scene) -> None:
    """With 0.1 lots open and 0.2 that wait, each at its price of now."""
    calculating.limits = TradingLimits(max_notional=lots("200000"))
    error = await refused(calculating, **{**BUY, "volume": 3, "price": 0.12})
    assert error.data["rule"] == "max_notional"
    assert error.data["value"] > 3 * CONTRACT * ASK


async def test_the_margin_of_a_market_order_is_that_at_the_market(calculating: Scene) -> None:
    asked = []

    def margin(params: commands.MarginParams) -> commands.CalculatedAmount:
        asked.append(params.price)
        return commands.CalculatedAmount(value=0.0)

    calculating.script.answers["order_calc_margin"] = margin
    calculating.limits = TradingLimits(check_margin=True)
    await place(calculating, **{**BUY, "price": 0.12})
    assert asked == [ASK]


async def test_what_is_open_keeps_its_worth_beside_a_limit_far_away(calculating: Scene) -> None:
    """Neither does a low price hide it, nor does a high one swell it."""
    held = with_(POSITION, volume=1.9)
    calculating.script.answers |= {"positions_get": [held], "orders_get": []}
    calculating.limits = TradingLimits(max_notional=lots("260000"))
    low = {**BUY, "type": "buy_limit", "volume": 14, "price": 0.1}
    assert (await refused(calculating, **low)).data["rule"] == "max_notional"
    high = {"symbol": "EURUSD", "type": "sell_limit", "volume": 0.01, "price": 2.0}
    await place(calculating, **high)


@pytest.mark.parametrize("mode", ["netting", "hedging"])
async def test_a_small_addition_moves_the_stop_of_the_whole_position(mode: str) -> None:
    """On a netting account, where it has but one."""
    scene = Scene(mode=mode)
    scene.limits = TradingLimits(risk_pct=lots("0.01"))
    held = with_(POSITION, volume=0.9)
    scene.script.answers |= {"order_calc_profit": calculated, "positions_get": [held]}
    order = {**BUY, "volume": 0.01, "sl": 1.06}
    if mode == "hedging":
        await place(scene, **order)
        return
    error = await refused(scene, **order)
    lost = CONTRACT * (0.9 * (POSITION.price_open - 1.06) + 0.01 * (ASK - 1.06))
    assert error.data["value"] == pytest.approx(lost)


@pytest.mark.parametrize(
    ("rule", "limits", "answers"),
    [
        ("max_notional", TradingLimits(max_notional=lots("20000")), {}),
        ("free_margin", TradingLimits(check_margin=True), account(margin_free=0.0)),
        ("max_daily_loss", TradingLimits(max_daily_loss=lots("0")), account(profit=-1.0)),
        ("max_drawdown_pct", TradingLimits(max_drawdown_pct=lots("1")), account(equity=5000.0)),
    ],
)
async def test_an_order_is_not_moved_to_where_it_could_not_be_placed(
    calculating: Scene, rule: str, limits: TradingLimits, answers: dict[str, Any]
) -> None:
    """A limit far from the market is worth little until it is moved there."""
    waiting = with_(ORDER, price_open=0.01, sl=0.0, tp=0.0)
    calculating.script.answers |= {"positions_get": [], "orders_get": [waiting], **answers}
    calculating.script.answers["order_calc_margin"] = commands.CalculatedAmount(value=100.0)
    calculating.limits = limits
    with pytest.raises(GatewayError) as caught:
        await modify(calculating, price=1.08)
    assert caught.value.data["rule"] == rule
    assert not calculating.script.sent
    await modify(calculating, sl=0.009)
    assert len(calculating.script.sent) == 1


async def test_a_moved_order_counts_once(calculating: Scene) -> None:
    """It is worth what it would be at its new price, and not that beside what it was."""
    ticks = iter(range(100))  # it is listed with another price of the market each time
    calculating.script.answers["positions_get"] = []
    calculating.script.answers["orders_get"] = lambda _: [
        with_(ORDER, price_current=1.0855 + next(ticks) / 10_000)
    ]
    calculating.limits = TradingLimits(max_notional=lots("22000"))  # 0.2 lots at 1.08: 21,600
    await modify(calculating, price=1.081)
    assert len(calculating.script.sent) == 1


async def test_an_order_is_moved_to_where_it_is_worth_less(calculating: Scene) -> None:
    """On an account that is over the limit as it stands."""
    calculating.script.answers |= {"positions_get": [], "orders_get": [ORDER]}
    calculating.limits = TradingLimits(max_notional=lots("100"))
    await modify(calculating, price=1.079)
    assert len(calculating.script.sent) == 1
    with pytest.raises(RiskLimit):
        await modify(calculating, price=1.081)


async def test_a_part_that_gains_at_the_stop_pays_for_no_other() -> None:
    """What a netting position has gained is in the equity already."""
    scene = Scene(mode="netting")
    scene.limits = TradingLimits(risk_pct=lots("0.01"))
    held = with_(POSITION, volume=1.0, price_open=1.0)
    scene.script.answers |= {"order_calc_profit": calculated, "positions_get": [held]}
    error = await refused(scene, **{**BUY, "volume": 1, "sl": 1.05})
    assert error.data["value"] == pytest.approx(CONTRACT * (ASK - 1.05))


async def test_a_held_order_far_away_does_not_price_what_is_open(calculating: Scene) -> None:
    """It is listed without a price of the market."""
    away = with_(ORDER, price_open=0.01, price_current=0.0, volume_current=0.01)
    calculating.script.answers |= {
        "positions_get": [with_(POSITION, volume=1.9)],
        "orders_get": [away],
    }
    calculating.limits = TradingLimits(max_notional=lots("210000"))
    error = await refused(calculating, **{**BUY, "volume": 0.1})
    assert error.data["rule"] == "max_notional"
    assert error.data["value"] > 2.0 * CONTRACT * 1.08


async def test_the_collar_lets_stops_alone(scene: Scene) -> None:
    """Of an order that waits outside of it."""
    scene.limits = TradingLimits(collar_bps=20)
    await modify(scene, sl=1.07)
    assert len(scene.script.sent) == 1


async def test_a_drawdown_that_cannot_be_is_no_failure(scene: Scene) -> None:
    """It has more digits than a decimal has."""
    scene.script.answers |= account(balance=0.01, equity=-1e300)
    scene.limits = TradingLimits(max_drawdown_pct=lots("1"))
    assert (await refused(scene, **BUY)).data["rule"] == "max_drawdown_pct"


@pytest.mark.parametrize("profit", [1e300, -1e300])
async def test_a_sum_that_cannot_be_is_no_failure(scene: Scene, profit: float) -> None:
    """A terminal tells of a profit with more digits than a decimal has."""
    scene.script.answers |= account(profit=profit)
    scene.limits = TradingLimits(max_daily_loss=lots("100"))
    if profit > 0:
        await place(scene, **BUY)
        assert len(scene.script.sent) == 1
        return
    with pytest.raises(RiskLimit):
        await place(scene, **BUY)


async def test_a_fill_far_from_the_price_that_was_named_is_a_fill(scene: Scene) -> None:
    """Of an order at market: what the broker makes of it is near the market."""
    scene.script.answers["order_send"] = DONE
    receipt = await place(scene, **{**BUY, "price": 0.01})
    assert receipt["order"]["state"] == "filled"
