"""What each refusal of the trade server becomes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import EURUSD
from scripted_terminal import Scene

from ea_bridge.errors import CommandFailed, CommandTimeout
from ea_bridge.model import SUCCESSES, TradeResult, TradeRetcode
from gateway import errors
from gateway.trading.results import is_final

REFUSALS = [
    (10004, errors.PriceChanged, {"bid": 1.08542, "ask": 1.08554}),
    (10006, errors.OrderRejected, {}),
    (10007, errors.OrderRejected, {}),
    (10011, errors.OrderUnresolved, {"outcome": "unknown"}),
    (10012, errors.OrderUnresolved, {"outcome": "unknown"}),
    (10013, errors.OrderRejected, {}),
    (10014, errors.InvalidVolume, {"min": 0.01, "max": 50.0, "step": 0.01}),
    (10015, errors.InvalidPrice, {"digits": 5, "tick_size": 1e-05}),
    (10016, errors.InvalidStops, {"stops_level_points": 10}),
    (10017, errors.TradeDisabled, {"mode": "close_only"}),
    (10018, errors.MarketClosed, {"opens_at": None}),
    (10019, errors.InsufficientMargin, {"required": 108.55, "free": 9903.85}),
    (10020, errors.PriceChanged, {"bid": 1.08542, "ask": 1.08554}),
    (10021, errors.PriceChanged, {}),
    (
        10022,
        errors.UnsupportedFilling,
        {"what": "expiration", "allowed": ["gtc", "day", "specified", "specified_day"]},
    ),
    (10023, errors.OrderRejected, {}),
    (10024, errors.TerminalBusy, {"retry_after_ms": 500}),
    (10026, errors.AutotradingDisabled, {"where": "server"}),
    (10027, errors.AutotradingDisabled, {"where": "terminal"}),
    (10028, errors.TerminalBusy, {"retry_after_ms": 500}),
    (10029, errors.Frozen, {"freeze_level_points": 0}),
    (10030, errors.UnsupportedFilling, {"what": "filling", "allowed": ["fok", "ioc"]}),
    (10031, errors.OrderUnresolved, {"outcome": "unknown"}),
    (10032, errors.OrderRejected, {}),
    (10033, errors.OrderLimit, {"what": "orders"}),
    (10034, errors.OrderLimit, {"what": "volume"}),
    (10035, errors.UnsupportedFilling, {"what": "type"}),
    (10036, errors.PositionNotFound, {}),
    (10038, errors.InvalidVolume, {"step": 0.01}),
    (10039, errors.OrderRejected, {}),
    (10040, errors.OrderLimit, {"what": "positions"}),
    (10041, errors.OrderRejected, {}),
    (10042, errors.TradeDisabled, {"mode": "long_only"}),
    (10043, errors.TradeDisabled, {"mode": "short_only"}),
    (10044, errors.TradeDisabled, {"mode": "close_only"}),
    (10045, errors.OrderRejected, {}),
    (10046, errors.OrderRejected, {}),
    (19999, errors.OrderUnresolved, {"retcode_name": "other_19999", "outcome": "unknown"}),
    (0, errors.OrderUnresolved, {"outcome": "unknown"}),
    (-1, errors.OrderUnresolved, {"outcome": "unknown"}),
]


def test_every_refusal_is_in_the_table() -> None:
    """A retcode that MetaTrader knows and we don't would be found here."""
    unknown = {19999, 0, -1}
    assert {retcode for retcode, _, _ in REFUSALS} - unknown == set(TradeRetcode) - SUCCESSES


def test_only_what_surely_was_not_executed_is_final() -> None:
    """All numbers but those of a list leave it open: also those that are of no success either."""
    final = {retcode for retcode in range(-1, 20_000) if is_final(retcode)}
    assert final == set(TradeRetcode) - SUCCESSES - {10011, 10012, 10031}


async def refused(scene: Scene, expected: type[errors.GatewayError]) -> dict[str, Any]:
    """Return the data of a refused order."""
    with pytest.raises(expected) as caught:
        await scene.ask("place_order", symbol="EURUSD", type="buy", volume=0.1, type_filling="fok")
    assert type(caught.value) is expected
    return caught.value.data


@pytest.mark.parametrize(("retcode", "expected", "data"), REFUSALS)
async def test_refusals_become_errors_with_numbers(
    scene: Scene, retcode: int, expected: type[errors.GatewayError], data: dict[str, Any]
) -> None:
    """The class tells what to do, the data carries the numbers to do it with."""
    answers = [EURUSD]
    scene.script.answers["symbol_get"] = lambda p: (
        answers.pop() if answers else replace(EURUSD, trade_mode=3)
    )
    scene.script.answers["order_send"] = TradeResult(retcode=retcode)
    told = await refused(scene, expected)
    assert told["retcode"] == retcode
    assert told["outcome"] == data.get("outcome", "rejected")
    assert told["client_order_id"].startswith("gw-")
    assert {name: told[name] for name in data} == data
    assert len(scene.script.sent) == 1


async def test_a_refusal_that_came_as_a_failure_is_the_same(scene: Scene) -> None:
    """`"ok": false` with a retcode means what the result with it means."""
    scene.script.answers["order_send"] = CommandFailed("order_send", 4756, 10019)
    assert (await refused(scene, errors.InsufficientMargin))["free"] == 9903.85


@pytest.mark.parametrize(
    ("err", "expected"), [(4003, errors.InvalidParams), (4756, errors.OrderUnresolved)]
)
async def test_a_failure_without_retcode(
    scene: Scene, err: int, expected: type[errors.GatewayError]
) -> None:
    """The terminal could not send it: refused, and never in the EA's words. 4756 stands beside
    whatever is no success, so that alone it says nothing."""
    scene.script.answers["order_send"] = CommandFailed("order_send", err, 0, "password=1")
    told = await refused(scene, expected)
    assert told["outcome"] == ("unknown" if err == 4756 else "rejected")
    assert "password" not in str(told)


async def test_evidence_that_does_not_come_is_left_out(scene: Scene) -> None:
    """The refusal is told all the same."""
    scene.script.answers["account_get"] = CommandTimeout("account_get", 1)
    scene.script.answers["order_calc_margin"] = CommandFailed("order_calc_margin", 4003)
    scene.script.answers["order_send"] = TradeResult(retcode=10019)
    told = await refused(scene, errors.InsufficientMargin)
    assert (told["required"], told["free"]) == (None, None)


async def test_a_terminal_that_is_gone_leaves_the_refusal(scene: Scene) -> None:
    """Nothing of the explanation may hide what the broker said."""

    def last_words(params: object) -> TradeResult:
        scene.disconnect()
        return TradeResult(retcode=10014)

    scene.script.answers["order_send"] = last_words
    told = await refused(scene, errors.InvalidVolume)
    assert told["retcode"] == 10014
    assert "step" not in told
