"""The broker's clock: learnt from quotes, right for any date."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import AGREEING, MANY, BrokerClock

SUMMER = int(datetime(2026, 6, 10, 12, tzinfo=UTC).timestamp())
WINTER = int(datetime(2026, 1, 14, 12, tzinfo=UTC).timestamp())
BETWEEN = int(datetime(2026, 3, 18, 12, tzinfo=UTC).timestamp())
"""America has its summer time already, Europe not yet."""
HOUR = 3600


def teach(clock: BrokerClock, at: int, offset: int, beats: int = AGREEING + 1) -> None:
    """Heartbeats with a fresh quote in each."""
    for second in range(beats):
        clock.observe(at + second + offset - 1, at + second)


def utc_ms(*moment: int) -> int:
    """A moment, UTC."""
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1000  # type: ignore[arg-type, misc]  # ints


def test_assumes_the_commonest_rule_and_says_so() -> None:
    """Until it has measured: broker midnight is the close of New York."""
    clock = BrokerClock()
    told = clock.estimate
    assert (told.rule, told.source, told.confidence) == ("new_york+7h", "assumed", "none")
    assert told.since_ms is None
    assert clock.offset_at(SUMMER * 1000) == 3 * HOUR * 1000
    assert clock.offset_at(WINTER * 1000) == 2 * HOUR * 1000


def test_measures_on_fresh_quotes() -> None:
    """Three that agree make an offset, ten make it certain."""
    clock = BrokerClock()
    changes = [clock.observe(SUMMER + i + 3 * HOUR, SUMMER + i) for i in range(AGREEING + 1)]
    assert changes == [False] * AGREEING + [True]
    assert (clock.offset_s, clock.estimate.confidence) == (3 * HOUR, "low")
    assert clock.estimate.since_ms == (SUMMER + AGREEING) * 1000
    teach(clock, SUMMER + 10, 3 * HOUR, MANY + 1)
    assert clock.estimate.confidence == "high"


def test_weekend_says_nothing() -> None:
    """`TimeCurrent` stands still without quotes: Friday's stamp is no offset."""
    clock = BrokerClock()
    teach(clock, SUMMER, 3 * HOUR)
    friday = SUMMER + 3 * HOUR
    for second in range(100):
        assert not clock.observe(friday, SUMMER + 2 * 86_400 + second)
    assert clock.offset_s == 3 * HOUR


def test_quiet_market_says_nothing() -> None:
    """A quote that is a quarter of an hour old looks like another zone's, and is none."""
    clock = BrokerClock()
    teach(clock, SUMMER, 3 * HOUR)
    for second in range(0, 2 * HOUR, 2):
        assert not clock.observe(SUMMER + 3 * HOUR + 3, SUMMER + 4 + second)
    assert clock.offset_s == 3 * HOUR


def test_first_quote_after_a_gap_is_not_trusted() -> None:
    """A quote that moved since a heartbeat long ago may be old."""
    clock = BrokerClock()
    for hour in range(20):
        assert not clock.observe(SUMMER + hour * HOUR, SUMMER + hour * HOUR + 900)
    assert clock.estimate.source == "assumed"


def test_wrong_pc_clock_is_not_believed() -> None:
    """An offset that is not near a quarter of an hour is a wrong clock, not a time zone."""
    clock = BrokerClock()
    teach(clock, SUMMER, 3 * HOUR + 400, 20)
    teach(clock, SUMMER + 100, 15 * HOUR, 20)
    assert clock.estimate.source == "assumed"


def test_replay_that_races_does_not_shake_it() -> None:
    """An emulated market at many times its speed gives samples that never agree."""
    clock = BrokerClock()
    teach(clock, SUMMER, 3 * HOUR)
    changes = [clock.observe(SUMMER + 3 * HOUR + 700 * i, SUMMER + 10 + i) for i in range(100)]
    assert not any(changes)


@pytest.mark.parametrize(
    ("at", "offset", "rule"),
    [
        (SUMMER, 3 * HOUR, "new_york+7h"),
        (WINTER, 2 * HOUR, "new_york+7h"),
        (BETWEEN, 3 * HOUR, "new_york+7h"),
        (BETWEEN, 2 * HOUR, "eet"),
        (SUMMER, 0, "constant"),
        (SUMMER, 5 * HOUR + 1800, "constant"),
        (WINTER, -5 * HOUR, "constant"),
    ],
)
def test_rule_follows_from_the_measurement(at: int, offset: int, rule: str) -> None:
    """The commonest rule that fits; none fits: the offset of every date is today's."""
    clock = BrokerClock()
    teach(clock, at, offset)
    assert (clock.estimate.rule, clock.offset_s) == (rule, offset)
    if rule == "constant":
        assert clock.offset_at(0) == offset * 1000


def test_contradicted_rule_does_not_come_back() -> None:
    """In spring Europe's brokers lag behind America's for three weeks: that settles it."""
    clock = BrokerClock()
    teach(clock, WINTER, 2 * HOUR)
    assert clock.estimate.rule == "new_york+7h"
    teach(clock, BETWEEN, 2 * HOUR)
    teach(clock, BETWEEN + 60, 2 * HOUR)
    assert clock.offset_at(BETWEEN * 1000) == 2 * HOUR * 1000
    teach(clock, SUMMER, 3 * HOUR)
    assert clock.estimate.rule == "eet"


def test_past_dates_have_the_offset_of_that_date() -> None:
    """A bar of January seen in June: two hours, not three."""
    clock = BrokerClock()
    teach(clock, SUMMER, 3 * HOUR)
    january = utc_ms(2026, 1, 14, 12)
    assert clock.to_broker_ms(january) - january == 2 * HOUR * 1000
    assert clock.to_utc_ms(january + 2 * HOUR * 1000) == january


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ((2024, 3, 10, 6, 59), 2),
        ((2024, 3, 10, 7, 0), 3),
        ((2024, 11, 3, 5, 59), 3),
        ((2024, 11, 3, 6, 0), 2),
        ((2006, 4, 2, 7, 0), 3),
        ((2006, 3, 20, 7, 0), 2),
        ((1998, 10, 26, 12, 0), 2),
    ],
)
def test_changes_of_summer_time(moment: tuple[int, ...], hours: int) -> None:
    """To the minute, and by the law of that year."""
    assert BrokerClock().offset_at(utc_ms(*moment)) == hours * HOUR * 1000


@given(st.integers(0, 4_102_444_799_999))
def test_there_and_back(ms: int) -> None:
    """UTC to broker time and back is the same moment, but in autumn's doubled hour."""
    clock = BrokerClock()
    back = clock.to_utc_ms(clock.to_broker_ms(ms))
    if back != ms:
        assert back == ms + HOUR * 1000
        assert clock.offset_at(ms) == clock.offset_at(back) + HOUR * 1000


@given(st.lists(st.integers(0, 4_102_444_799_999), min_size=2, max_size=20))
def test_order_of_questions_does_not_matter(moments: list[int]) -> None:
    """What it remembers for speed changes no answer."""
    used = BrokerClock()
    assert [used.to_utc_ms(ms) for ms in moments] == [
        BrokerClock().to_utc_ms(ms) for ms in moments
    ]
