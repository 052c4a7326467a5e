"""Checks of how many orders there are: in a second, a minute, a day, of a symbol, of a kind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checked_orders import BROKER_MS, BUY, lots, place, refused
from msgspec.structs import replace as with_
from scripted_answers import EURUSD, ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge import host
from ea_bridge.commands import HistoryParams
from ea_bridge.errors import TerminalBusy
from gateway.errors import GatewayError, LimitExceeded, RiskLimit
from gateway.trading.limits import TradingLimits


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def hands(scene: Scene) -> Hands:
    """The clock by which the scene counts orders."""
    hands = Hands()
    rate = scene.state.risk.counters(scene.guarded).rate
    rate._monotonic_s = hands
    rate._level_s = hands.s
    return hands


async def test_orders_per_second(scene: Scene, hands: Hands) -> None:
    """A burst, then the rate; the refusal says how long to wait, and to the millisecond."""
    scene.limits = TradingLimits(orders_per_second=lots("20"), order_burst=3)
    for _ in range(3):
        await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert type(error) is LimitExceeded
    assert error.data["rule"] == "orders_per_second"
    assert (error.data["limit"], error.data["burst"]) == (20.0, 3)
    assert error.data["retry_after_ms"] == 50
    hands.s += 0.049
    await refused(scene, **BUY)
    hands.s += 0.0011
    await place(scene, **BUY)
    await scene.ask("close_position", ticket=POSITION.ticket)
    await scene.ask("cancel_order", ticket=ORDER.ticket)
    assert len(scene.script.sent) == 6, "what reduces goes on"


async def test_a_pace_of_nothing_allows_nothing(scene: Scene, hands: Hands) -> None:
    """Not even the first of a burst; what reduces goes on."""
    scene.limits = TradingLimits(orders_per_second=lots("0"), order_burst=40)
    error = await refused(scene, **BUY)
    assert (type(error), error.data["rule"]) == (RiskLimit, "orders_per_second")
    await scene.ask("close_position", ticket=POSITION.ticket)
    hands.s += 3600
    await refused(scene, **BUY)


async def test_orders_per_minute(scene: Scene, hands: Hands) -> None:
    """Any 60 seconds, not those of a clock's minute."""
    scene.limits = TradingLimits(max_orders_per_minute=2)
    await place(scene, **BUY)
    hands.s += 30
    await place(scene, **BUY)
    hands.s += 29.9
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["limit"], error.data["value"]) == (
        "max_orders_per_minute",
        2,
        3,
    )
    hands.s += 0.1
    await place(scene, **BUY)


async def test_orders_per_day(scene: Scene) -> None:
    """A day of the broker's clock, which begins before that of UTC."""
    scene.limits = TradingLimits(max_orders_per_day=2)
    for _ in range(2):
        await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["limit"], error.data["value"]) == (
        "max_orders_per_day",
        2,
        3,
    )
    to_midnight_ms = 86_400_000 - BROKER_MS % 86_400_000
    scene.now_ms += to_midnight_ms - 1
    await refused(scene, **BUY)
    scene.now_ms += 1
    await place(scene, **BUY)


async def test_the_day_is_the_brokers_though_our_clock_was_set(scene: Scene) -> None:
    """By the quotes that come: a clock that is put on by hours begins no day, nor hides one."""
    scene.limits = TradingLimits(max_orders_per_day=1)
    boot_ms = host.boot_ms()
    quote = BROKER_MS // 1000
    scene.clock.see(quote - 1, boot_ms - 1000)
    scene.clock.see(quote, boot_ms)
    await place(scene, **BUY)
    scene.now_ms += 86_400_000
    await refused(scene, **BUY)
    scene.clock.see(quote + 86_400, boot_ms)
    scene.now_ms -= 86_400_000
    await place(scene, **BUY)


async def test_the_loss_is_of_the_brokers_day_though_our_clock_was_set(scene: Scene) -> None:
    """The terminal is asked for the deals of the day that quotes show."""
    scene.limits = TradingLimits(max_daily_loss=lots("100"))
    boot_ms = host.boot_ms()
    quote = BROKER_MS // 1000
    scene.clock.see(quote - 1, boot_ms - 1000)
    scene.clock.see(quote, boot_ms)
    scene.now_ms += 86_400_000
    asked: list[int] = []

    def none(params: HistoryParams) -> list[object]:
        assert params.from_s is not None
        asked.append(params.from_s)
        return []

    scene.script.answers["history_deals_get"] = none
    await place(scene, **BUY)
    assert [one // 86_400 for one in asked] == [quote // 86_400]


async def test_orders_of_a_symbol(scene: Scene) -> None:
    """So many of one symbol in so many hours; others are free."""
    scene.limits = TradingLimits(max_symbol_orders=1, symbol_window_s=3600.0)
    scene.script.answers["symbol_get"] = lambda p: with_(EURUSD, name=p.symbol)
    await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["value"]) == ("max_symbol_orders", 2)
    await place(scene, **{**BUY, "symbol": "GBPUSD"})
    scene.now_ms += 3_600_000
    await place(scene, **BUY)


async def test_identical_orders(scene: Scene, hands: Hands) -> None:
    """Ten seconds; another volume, magic or price makes another order."""
    scene.limits = TradingLimits(max_identical_orders=2)
    for _ in range(2):
        await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["limit"], error.data["value"]) == (
        "max_identical_orders",
        2,
        3,
    )
    await place(scene, **{**BUY, "volume": 0.11})
    await place(scene, **BUY, magic=8)
    hands.s += 10
    await place(scene, **BUY)


async def test_what_was_not_sent_does_not_count(scene: Scene) -> None:
    """An order that met a link that was down has taken nothing of the day."""
    scene.limits = TradingLimits(
        max_orders_per_day=1, max_orders_per_minute=1, max_symbol_orders=1
    )
    scene.limits = replace(scene.limits, symbol_window_s=60.0)
    done = scene.script.answers["order_send"]
    scene.script.answers["order_send"] = TerminalBusy("64 commands are in flight")
    with pytest.raises(GatewayError) as unsent:
        await place(scene, **BUY)
    assert unsent.value.data["outcome"] == "not_sent"
    scene.script.answers["order_send"] = done
    await place(scene, **BUY)
    await refused(scene, **BUY)
