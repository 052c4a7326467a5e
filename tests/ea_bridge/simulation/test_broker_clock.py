"""The broker's wall clock and market time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea_bridge import host
from ea_bridge.emulator import factory as machine
from ea_bridge.simulation.clock import BrokerZone, MarketClock, left_out
from ea_bridge.simulation.market import Sessions

HOUR = 3_600_000


def utc_ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000  # type: ignore[arg-type, misc]


def test_winter_is_two_hours_ahead_and_summer_three() -> None:
    zone = BrokerZone()
    assert zone.offset_ms(utc_ms(2026, 1, 15, 12)) == 2 * HOUR
    assert zone.offset_ms(utc_ms(2026, 7, 15, 12)) == 3 * HOUR


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ((2026, 3, 8, 7), 2, 3),
        ((2026, 11, 1, 6), 3, 2),
        ((2020, 3, 8, 7), 2, 3),
    ],
)
def test_the_clock_changes_with_america_not_with_europe(
    change: tuple[int, ...], before: int, after: int
) -> None:
    zone, at = BrokerZone(), utc_ms(*change)
    assert zone.offset_ms(at - 1) == before * HOUR
    assert zone.offset_ms(at) == after * HOUR


def test_midnight_is_new_yorks_close() -> None:
    """17:00 in New York, summer and winter."""
    zone = BrokerZone()
    assert zone.to_broker_ms(utc_ms(2026, 7, 15, 21)) % (24 * HOUR) == 0
    assert zone.to_broker_ms(utc_ms(2026, 1, 15, 22)) % (24 * HOUR) == 0


@given(st.integers(utc_ms(2020, 1, 1), utc_ms(2037, 1, 1)))
def test_there_and_back(at: int) -> None:
    """Exact, but for the hour that comes twice: there the second is meant."""
    zone = BrokerZone()
    back = zone.to_utc_ms(zone.to_broker_ms(at))
    assert back in (at, at + HOUR)
    if back != at:
        assert zone.offset_ms(at) > zone.offset_ms(back)


def test_of_the_hour_that_comes_twice_the_second_is_meant() -> None:
    zone = BrokerZone()
    assert zone.to_utc_ms(utc_ms(2026, 11, 1, 8, 30)) == utc_ms(2026, 11, 1, 6, 30)


def test_the_hour_that_is_left_out_is_read_as_winters() -> None:
    zone = BrokerZone()
    assert zone.to_utc_ms(utc_ms(2026, 3, 8, 9, 30)) == utc_ms(2026, 3, 8, 7, 30)


def test_market_time_runs_at_its_speed() -> None:
    clock = MarketClock(1_000_000, 50.0, speed=60.0)
    assert clock.now_ms(50.0) == 1_000_000
    assert clock.now_ms(51.0) == 1_060_000
    assert clock.real_s(1_060_000) == 51.0


def test_market_time_can_jump() -> None:
    clock = MarketClock(1_000_000, 50.0)
    clock.jump(-5000)
    assert clock.now_ms(51.0) == 996_000


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be"):
        MarketClock(0, 0.0, speed=speed)


def test_the_minutes_that_no_clock_shows() -> None:
    """Those between the reading before each spring's change and the one after."""
    gaps = left_out(2020)
    assert len(gaps) == 80
    assert gaps[7] == range(utc_ms(2027, 3, 14, 9) // 60_000, utc_ms(2027, 3, 14, 10) // 60_000)
    zone = BrokerZone()
    for gap in gaps[:10]:
        at = zone.to_utc_ms(gap.start * 60_000)
        assert zone.to_broker_ms(at - 1) == gap.start * 60_000 - 1
        assert zone.to_broker_ms(at) == gap.stop * 60_000


@pytest.mark.parametrize(
    ("sessions", "clock", "utc"), [("always", 3 * HOUR, HOUR), ("real", 2 * HOUR, 0)]
)
def test_no_stamp_goes_back_when_the_clock_does(
    monkeypatch: pytest.MonkeyPatch, sessions: Sessions, clock: int, utc: int
) -> None:
    """A market that is always open leaves the hour out that comes twice; another stands still."""
    at, real_s = utc_ms(2027, 11, 7, 6), [100.0]
    monkeypatch.setattr(host, "monotonic_s", lambda: real_s[0])
    terminal = machine.build_terminal(start_ms=at - 30_000, sessions=sessions)
    for real_s[0] in (129.0, 130.0):
        terminal.pulse()
    market = terminal.handler.market
    assert market.now_msc == at - 1000 + 3 * HOUR
    now = terminal.handler.clock()
    assert now.tsrv is not None
    assert abs(now.tsrv * 1000 - at - clock) <= 1000
    assert abs(now.tgmt * 1000 - at - utc) <= 1000
    real_s[0] += 60.0
    terminal.pulse()
    moved = market.now_msc - (at - 1000 + 3 * HOUR)
    assert moved == (60_000 if sessions == "always" else 0)


def test_market_time_leaps_with_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """In spring the hour that no clock shows has no ticks, and takes no time."""
    at, real_s = utc_ms(2027, 3, 14, 7), [100.0]
    monkeypatch.setattr(host, "monotonic_s", lambda: real_s[0])
    terminal = machine.build_terminal(start_ms=at - 30_000)
    real_s[0] += 60.0
    terminal.pulse()
    market = terminal.handler.market
    assert market.now_msc == at + 30_000 + 3 * HOUR
    left_out_msc = range(at + 2 * HOUR, at + 3 * HOUR)
    for name in market.selected:
        ticks = market.ticks(name, from_msc=at, to_msc=market.now_msc)
        assert ticks
        assert not [one for one in ticks if one.time_msc in left_out_msc]


def test_a_broker_and_its_pc_may_disagree() -> None:
    """A market with a clock of its own, on a PC whose clock is three hours ahead."""
    now_ms = [utc_ms(2026, 1, 15, 12)]

    class Server(MarketClock):
        def now_ms(self, real_s: float) -> int:
            return now_ms[0]

    terminal = machine.build_terminal(
        clock=Server(0, 0.0), pc_s=lambda: now_ms[0] / 1000 + 3 * HOUR / 1000
    )
    now_ms[0] += 10_000
    terminal.pulse()
    now = terminal.handler.clock()
    assert now.tsrv == (now_ms[0] + 2 * HOUR) // 1000
    assert now.tgmt == (now_ms[0] + 3 * HOUR) // 1000
