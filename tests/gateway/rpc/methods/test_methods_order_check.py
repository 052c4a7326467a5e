"""``order_check``: what it tells of an order, without sending it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import EURUSD
from scripted_terminal import Scene

from ea_bridge.model import CheckResult
from gateway import errors
from gateway.trading.limits import TradingLimits

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


async def test_order_check_tells_a_refusal_as_a_result(scene: Scene, mt4: Scene) -> None:
    """It is an answer, not an error; MetaTrader 4 cannot give one."""
    passing = await scene.ask("order_check", **BUY)
    assert (passing["passes"], passing["retcode_name"]) == (True, None)
    scene.script.answers["order_check"] = CheckResult(retcode=10019, comment="No money")
    refused = await scene.ask("order_check", **BUY)
    assert (refused["passes"], refused["retcode_name"]) == (False, "TRADE_RETCODE_NO_MONEY")
    assert refused["margin"] is None
    with pytest.raises(errors.MethodNotSupported):
        await mt4.ask("order_check", **BUY)


@pytest.mark.parametrize(
    ("limits", "answers", "name"),
    [
        (TradingLimits(auto_trade=False), {}, "risk_limit"),
        (TradingLimits(live=False), {}, "risk_limit"),
        (TradingLimits(max_lot=Decimal("0.01")), {}, "risk_limit"),
        (TradingLimits(), {"symbol_get": replace(EURUSD, trade_mode=0)}, "trade_disabled"),
        (TradingLimits(), {"order_check": CheckResult(retcode=10019)}, "insufficient_margin"),
    ],
    ids=["auto_trade", "live", "max_lot", "trade_mode", "broker"],
)
async def test_order_check_refuses_what_place_order_refuses(
    scene: Scene, limits: TradingLimits, answers: dict[str, Any], name: str
) -> None:
    """One path decides both: the check tells the very error, and never ``retcode`` 0."""
    scene.limits = limits
    scene.hello = replace(scene.hello, trade="real")
    scene.script.answers |= answers
    checked = await scene.ask("order_check", **BUY)
    assert (checked["passes"], checked["error"]["data"]["name"]) == (False, name)
    assert checked["retcode"] != 0
    if "order_check" not in answers:
        with pytest.raises(errors.GatewayError) as refused:
            await scene.ask("place_order", **BUY)
        assert refused.value.code == checked["error"]["code"]
        assert refused.value.message == checked["error"]["message"] == checked["comment"]
    assert scene.script.sent == []


async def test_order_check_while_halted(scene: Scene) -> None:
    """A halt is a refusal, too."""
    await scene.ask("set_trading_enabled", enabled=False)
    checked = await scene.ask("order_check", **BUY)
    assert (checked["passes"], checked["error"]["code"]) == (False, errors.KillSwitchActive.code)
