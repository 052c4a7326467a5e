"""What is known after a trade went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import DONE, EURUSD, NOW_MS
from scripted_terminal import Scene

from ea_bridge.errors import CommandFailed, NotSent, OutcomeUnknown
from ea_bridge.model import TradeResult
from gateway import errors

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


async def outcome(scene: Scene, expected: type[errors.GatewayError]) -> dict[str, Any]:
    """Return the data of a failed ``place_order``."""
    with pytest.raises(expected) as refused:
        await scene.ask("place_order", **BUY, client_order_id="mine")
    return refused.value.data


async def test_lost_answer_is_unknown_never_failed(scene: Scene) -> None:
    """2102 says that it may have executed, with the caller's own id."""
    scene.script.answers["order_send"] = OutcomeUnknown(
        "order_send", 7, acked=True, reason="link lost"
    )
    data = await outcome(scene, errors.OrderUnresolved)
    assert (data["outcome"], data["client_order_id"]) == ("unknown", "mine")
    assert data["acked"] is True
    assert data["check_after_ms"] > 0


async def test_servers_timeout_is_unknown_too(scene: Scene) -> None:
    """10012: the server gave up waiting; the market may not have."""
    scene.script.answers["order_send"] = TradeResult(retcode=10012)
    data = await outcome(scene, errors.OrderUnresolved)
    assert (data["outcome"], data["retcode"]) == ("unknown", 10012)


async def test_an_ea_that_contradicts_itself(scene: Scene) -> None:
    """A failure with the retcode of a success is neither: nobody may take it for final."""
    scene.script.answers["order_send"] = CommandFailed("order_send", 4756, 10009)
    data = await outcome(scene, errors.OrderUnresolved)
    assert (data["outcome"], data["client_order_id"]) == ("unknown", "mine")
    scene.script.answers["order_send"] = CommandFailed("order_send", 4756, 10018)
    assert (await outcome(scene, errors.MarketClosed))["outcome"] == "rejected"


@pytest.mark.parametrize("err", [4024, 4756, 5273, 0])
async def test_an_ea_that_failed_for_reasons_of_its_own(scene: Scene, err: int) -> None:
    """It may have failed after the order was sent: nobody may take it for final."""
    scene.script.answers["order_send"] = CommandFailed("order_send", err)
    assert (await outcome(scene, errors.OrderUnresolved))["outcome"] == "unknown"


async def test_an_ea_that_did_not_get_as_far_as_sending(scene: Scene) -> None:
    """It says so by the error number; that is final."""
    scene.script.answers["order_send"] = CommandFailed("order_send", 4014)
    assert (await outcome(scene, errors.MethodNotSupported))["outcome"] == "rejected"


async def test_not_sent_is_safe(scene: Scene) -> None:
    """The link was gone before."""
    scene.script.answers["order_send"] = NotSent("gone")
    assert (await outcome(scene, errors.TerminalDisconnected))["outcome"] == "not_sent"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("place_order", BUY),
        ("modify_order", {"ticket": 1, "sl": 1.0}),
        ("cancel_order", {"ticket": 1}),
        ("close_position", {"ticket": 1}),
        ("close_by", {"position": 1, "position_by": 2}),
    ],
)
async def test_offline_terminal_gets_no_orders(
    scene: Scene, method: str, params: dict[str, Any]
) -> None:
    """Refused at once, with the outcome and the caller's id, whatever would have come first."""
    scene.disconnect()
    with pytest.raises(errors.TerminalDisconnected) as refused:
        await scene.ask(method, **params, client_order_id="mine")
    assert refused.value.data["outcome"] == "not_sent"
    assert refused.value.data["client_order_id"] == "mine"


async def test_a_done_trade_is_never_told_as_not_sent(scene: Scene) -> None:
    """The terminal may be gone and forgotten when the receipt is written."""

    def last_deed(params: object) -> TradeResult:
        scene.disconnect()
        scene.known = False
        return replace(DONE, price=0.0, position=0)

    scene.script.answers["order_send"] = last_deed
    receipt = await scene.ask("place_order", **BUY)
    assert (receipt["sent"], receipt["order"]["state"]) == (True, "filled")


async def test_broker_gone_and_autotrading_off_are_refused_at_once(scene: Scene) -> None:
    """What the terminal has told already is not tried."""
    scene.script.broker = False
    assert (await outcome(scene, errors.BrokerDisconnected))["outcome"] == "not_sent"
    scene.script.broker, scene.script.autotrading = True, False
    data = await outcome(scene, errors.AutotradingDisabled)
    assert (data["where"], data["outcome"], data["retcode"]) == ("terminal", "not_sent", 10027)
    assert scene.script.sent == []


async def test_late_orders_are_not_sent(scene: Scene) -> None:
    """2103: what could not be handed over in time is dropped, however the deadline was said."""

    def slow(params: object) -> object:
        scene.now_ms += 400
        return EURUSD

    scene.script.answers["symbol_get"] = slow
    limits: list[dict[str, Any]] = [{"ttl_ms": 300}, {"deadline_ms": scene.now_ms + 300}]
    for limit in limits:
        with pytest.raises(errors.DeadlineExceeded) as refused:
            await scene.ask("place_order", **BUY, **limit)
        assert (refused.value.data["outcome"], refused.value.data["late_ms"]) == ("not_sent", 100)
        scene.now_ms = NOW_MS
    assert scene.script.sent == []


async def test_revoked_right_before_the_bytes(scene: Scene) -> None:
    """The gate is asked again when the request is ready to be written."""

    def revoke(params: object) -> object:
        scene.revoked = errors.Unauthorized(reason="revoked")
        return EURUSD

    scene.script.answers["symbol_get"] = revoke
    data = await outcome(scene, errors.Unauthorized)
    assert (data["reason"], data["outcome"]) == ("revoked", "not_sent")
    assert scene.script.sent == []


async def test_the_last_look_is_right_before_the_bytes(scene: Scene) -> None:
    """What changes between the preparation and the writing stops the trade: rights and time."""

    def revoke() -> None:
        if "symbol_get" in scene.script.ops():
            scene.revoked = errors.Unauthorized(reason="revoked")

    scene.script.on_the_way = revoke
    assert (await outcome(scene, errors.Unauthorized))["outcome"] == "not_sent"
    scene.revoked = None

    def dawdle() -> None:
        scene.now_ms += 3000

    scene.script.on_the_way = dawdle
    assert (await outcome(scene, errors.DeadlineExceeded))["late_ms"] == 1000
    assert scene.script.sent == []


async def test_rights_are_checked_where_nothing_is_sent(scene: Scene) -> None:
    """A validation tells as much as a trade would."""
    scene.revoked = errors.Unauthorized(reason="expired")
    with pytest.raises(errors.Unauthorized):
        await scene.ask("place_order", **BUY, validate_only=True)


async def test_only_a_refused_filling_is_tried_again(scene: Scene) -> None:
    """A refused kind of order looks alike for the caller, and is final."""
    for retcode in (10022, 10035):
        scene.script.asked.clear()
        scene.script.answers["order_send"] = TradeResult(retcode=retcode)
        await outcome(scene, errors.UnsupportedFilling)
        assert len(scene.script.sent) == 1
