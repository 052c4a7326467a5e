"""Simulated clocks: what passes in sleep, what is set, and who sees it."""

from __future__ import annotations

import asyncio

import pytest

from ea_bridge.simulation.clock import BrokerZone

from .clocks import NS, WEEKENDS_S, BrokerTime, Calendar, PcClocks, TrueTime
from .dice import Dice
from .loop import SimulatedLoop
from .network import Network
from .prices import drawn_market
from .trace import Trace

NAMES = ("a", "b", "c")


def a_loop(seed: int = 1) -> SimulatedLoop:
    dice = Dice(seed)
    return SimulatedLoop(dice("threads"), dice("turns"))


def a_calendar(seed: int, *, is_wrong: bool = True) -> tuple[SimulatedLoop, Calendar]:
    loop = a_loop(seed)
    return loop, Calendar(
        loop, Dice(seed)("clocks"), NAMES, is_wrong=is_wrong, has_weekends=is_wrong
    )


def test_a_clock_that_is_set_moves_no_other() -> None:
    """Neither the time since boot nor the broker's."""
    loop = a_loop()
    time = TrueTime(lambda: loop.now, 1_000)
    pc, broker = PcClocks(time, up_s=50), BrokerTime(time)
    loop.now += 10
    pc.step(-300)
    assert (pc.wall_ns(), pc.boot_ns()) == (710 * NS, 60 * NS)
    assert pc.ahead_s() == -300
    assert broker.now_ms(0.0) == 1_010_000
    pc.zone_off_s = 3600
    assert pc.time_gmt_s() == 710 + 3600
    pc.boot()
    assert pc.boot_ns() == 0


def test_clocks_drift_apart() -> None:
    """By parts in a million of the time that the machine is awake."""
    loop = a_loop()
    time = TrueTime(lambda: loop.now, 1_000)
    pc, broker = PcClocks(time, drift_ppm=100), BrokerTime(time, ahead_s=2, drift_ppm=-100)
    loop.now += 10_000
    assert pc.ahead_s() == pytest.approx(1.0)
    assert broker.now_ms(0.0) == 11_001_000


@pytest.mark.parametrize("timers_run", [False, True])
def test_sleep_passes_on_every_clock_but_perhaps_the_timers(*, timers_run: bool) -> None:
    """All that was to happen meanwhile is due at once, or comes as much later."""
    loop, calendar = a_calendar(1, is_wrong=False)
    before_ns, boot_ns = calendar.time.ns(), calendar.pc.boot_ns()
    begun_s = loop.now
    calendar.sleep(3600, timers_run=timers_run)
    assert loop.now - begun_s == (3600 if timers_run else 0)
    assert loop.slept_s == (3600 if timers_run else 0)
    assert calendar.time.ns() - before_ns == 3600 * NS
    assert calendar.pc.boot_ns() - boot_ns == 3600 * NS
    assert calendar.brokers["a"].now_ms(0.0) == calendar.time.ns() // 1_000_000


def test_without_faults_all_clocks_agree() -> None:
    """And the market is open."""
    for seed in range(20):
        _, calendar = a_calendar(seed, is_wrong=False)
        assert calendar.sessions == "always"
        assert calendar.weekend_s() == 0
        assert calendar.pc.ahead_s() == 0
        assert {calendar.pc_of(name) for name in NAMES} == {calendar.pc}


def test_each_weekend_ends_when_the_brokers_open() -> None:
    """It is Monday in the brokers' zone, whose summer time may have begun or ended."""
    zone, drawn = BrokerZone(), set()
    for seed in range(200):
        _, calendar = a_calendar(seed)
        begun_s = calendar.time.ns() // NS
        weekend_s = calendar.weekend_s()
        assert bool(weekend_s) == (calendar.sessions == "real")
        if weekend_s:
            over_ms = zone.to_broker_ms(int((begun_s + weekend_s) * 1000))
            assert over_ms // 1000 % 86_400 < 400
            assert (over_ms // 86_400_000 + 3) % 7 == 0  # 1970 began with a Thursday
            assert calendar.weekend_s() == 0
            drawn.add(begun_s)
    assert len(drawn) == len(WEEKENDS_S)


@pytest.mark.parametrize("rests", [False, True])
def test_a_market_that_rests_has_no_ticks_at_weekends(*, rests: bool) -> None:
    """Two days pass in no time."""
    begins_s, over_s = WEEKENDS_S[0]
    zone = BrokerZone()
    market = drawn_market(1, "a", zone.to_broker_ms(begins_s * 1000 - 60_000), rests=rests)
    friday = market.advance(zone.to_broker_ms(begins_s * 1000 - 1))
    assert friday
    saturday_ms = zone.to_broker_ms((begins_s + 3600) * 1000)
    assert bool(market.advance(saturday_ms)) is not rests
    assert market.is_open("EURUSD", saturday_ms) is not rests
    monday_ms = zone.to_broker_ms(over_s * 1000) + 30_000
    while market.now_msc < monday_ms:
        last = market.advance(monday_ms)
    assert last
    assert market.is_open("EURUSD", monday_ms)


def test_a_set_of_tasks_has_one_order_in_every_process() -> None:
    """What ends a set of tasks one after the other leaves one trace of one seed."""
    dice = Dice(1)
    loop = SimulatedLoop(dice("threads"), dice("turns"))
    Network(loop, dice("network"), Trace())

    async def run() -> None:
        made = [loop.create_task(asyncio.sleep(0)) for _ in range(8)]
        assert list(set(made)) == made
        await asyncio.gather(*made)

    loop.run_until_complete(run())
