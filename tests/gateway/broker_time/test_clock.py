"""The broker's clock: learnt from quotes, right for any date."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.broker_time.clock import AGREEING, MANY, BrokerClock

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


# --- when the clock is put on or back ------------------------------------------------------------

SPRING = utc_ms(2027, 3, 14, 7) // 1000
EUROPES_SPRING = utc_ms(2027, 3, 28, 1) // 1000
AUTUMN = utc_ms(2027, 11, 7, 6) // 1000
DOUBLED = (AUTUMN + 2 * HOUR + 1800) * 1000
"""Half past, on the clock, in the hour that it shows twice."""
DAY = 24 * HOUR


@pytest.mark.parametrize(("turn", "offset"), [(SPRING, 3 * HOUR), (AUTUMN, 2 * HOUR)])
def test_a_turn_of_the_rule_is_told_without_a_quote(turn: int, offset: int) -> None:
    """At the heartbeat in which it comes, and once; markets are closed then."""
    clock = BrokerClock()
    quote = turn - DAY
    assert not clock.observe(quote, turn - 1)
    assert clock.observe(quote, turn)
    assert clock.offset_s == offset
    assert not clock.observe(quote, turn + 1)


@pytest.mark.parametrize("early", [33 * HOUR, 2 * HOUR, 5])
@pytest.mark.parametrize(("turn", "before", "after"), [(SPRING, 2, 3), (AUTUMN, 3, 2)])
def test_a_turn_that_is_made_early(early: int, turn: int, before: int, after: int) -> None:
    """It holds from when it was made on, and the rule stays: so does all of the past."""
    clock = BrokerClock()
    made = turn - early
    teach(clock, made - 10, before * HOUR, 10)
    teach(clock, made, after * HOUR, 5)
    assert (clock.estimate.rule, clock.offset_s) == ("new_york+7h", after * HOUR)
    assert clock.offset_at((made - 2) * 1000) == before * HOUR * 1000
    assert clock.offset_at((made + 2) * 1000) == after * HOUR * 1000
    assert clock.offset_at((turn - 270 * DAY) * 1000) == after * HOUR * 1000
    teach(clock, turn + 20 * DAY, after * HOUR)
    assert clock.estimate.rule == "new_york+7h"


@pytest.mark.parametrize("late", [5, 2 * HOUR, 38 * HOUR])
@pytest.mark.parametrize(("turn", "before", "after"), [(SPRING, 2, 3), (AUTUMN, 3, 2)])
def test_a_turn_that_is_made_late(late: int, turn: int, before: int, after: int) -> None:
    """The old offset holds as long as it is measured, and for its time also afterwards."""
    clock = BrokerClock()
    made = turn + late
    teach(clock, turn - 10, before * HOUR, 15)
    assert clock.offset_s == before * HOUR
    teach(clock, made - 4, before * HOUR, 4)
    teach(clock, made, after * HOUR, 5)
    assert (clock.estimate.rule, clock.offset_s) == ("new_york+7h", after * HOUR)
    assert clock.offset_at((made - 2) * 1000) == before * HOUR * 1000
    assert clock.offset_at((turn - 270 * DAY) * 1000) == after * HOUR * 1000


def test_a_change_is_measured_in_seconds() -> None:
    """Three heartbeats with quotes, whichever way the clock goes and whatever the rule says."""
    clock = BrokerClock()
    teach(clock, SUMMER, 5 * HOUR, 20)
    for at, offset in ((SUMMER + DAY, 6 * HOUR), (SUMMER + 2 * DAY, 5 * HOUR)):
        clock.observe(at + clock.offset_s - 1, at - 1)
        told = [clock.observe(at + offset + second, at + second) for second in range(5)]
        assert told.index(True) < 4
        assert clock.offset_s == offset


def test_a_change_that_no_rule_foresaw_leaves_the_past_alone() -> None:
    """What was before it keeps its offset, change after change."""
    clock = BrokerClock()
    first, second = SUMMER, SUMMER + 100 * DAY
    teach(clock, first - 20, 4 * HOUR, 20)
    teach(clock, first, 5 * HOUR, 5)
    teach(clock, second, 4 * HOUR, 5)
    assert clock.estimate.rule == "constant"
    apart = (
        (first - 9, 4),
        (first + 9, 5),
        (second - 2 * HOUR, 5),
        (second + 2 * HOUR, 4),
        (1, 4),
    )
    for at, offset in apart:
        assert clock.offset_at(at * 1000) == offset * HOUR * 1000
        assert clock.to_utc_ms((at + offset * HOUR) * 1000) == at * 1000


def test_a_pc_whose_clock_is_set_right_changes_the_past_too() -> None:
    """It was not the broker's that changed: what was measured against the wrong one is void."""
    clock = BrokerClock()
    for second in range(5):
        clock.compare(SUMMER - HOUR + second, (SUMMER + second) * 1000)
        clock.observe(SUMMER + 3 * HOUR + second, SUMMER - HOUR + second)
    assert (clock.estimate.rule, clock.offset_s) == ("constant", 4 * HOUR)
    for second in range(5, 10):
        clock.compare(SUMMER + second, (SUMMER + second) * 1000)
        clock.observe(SUMMER + 3 * HOUR + second, SUMMER + second)
    assert (clock.estimate.rule, clock.offset_s) == ("new_york+7h", 3 * HOUR)
    assert clock.offset_at(WINTER * 1000) == 2 * HOUR * 1000


def test_a_broker_that_follows_europe_is_known_by_its_spring() -> None:
    """America's turn settles it; Europe's does not unsettle it, though then both rules agree."""
    clock = BrokerClock()
    teach(clock, SPRING - 10, 2 * HOUR, 30)
    assert clock.estimate.rule == "eet"
    teach(clock, EUROPES_SPRING, 3 * HOUR, 10)
    assert clock.estimate.rule == "eet"
    assert clock.offset_at((SPRING + DAY) * 1000) == 2 * HOUR * 1000


def test_a_broker_without_summer_time_is_known_by_its_spring() -> None:
    """When neither rule's turn has come within two days, it is of no rule: for any date."""
    clock = BrokerClock()
    teach(clock, SPRING - 10, 2 * HOUR, 30)
    teach(clock, SPRING + 3 * DAY, 2 * HOUR)
    teach(clock, EUROPES_SPRING - 10, 2 * HOUR, 30)
    assert (clock.estimate.rule, clock.offset_s) == ("eet", 2 * HOUR)
    teach(clock, EUROPES_SPRING + 3 * DAY, 2 * HOUR)
    assert (clock.estimate.rule, clock.offset_s) == ("constant", 2 * HOUR)
    assert clock.offset_at(SUMMER * 1000) == 2 * HOUR * 1000


def test_the_doubled_hour_is_its_first_time_until_that_is_over() -> None:
    """No stamp is of the future; afterwards it means the second, where nobody saw the first."""
    clock = BrokerClock()
    clock.observe(AUTUMN - DAY, AUTUMN - 1700)
    assert clock.to_utc_ms(DOUBLED) == (AUTUMN - 1800) * 1000
    clock.observe(AUTUMN - DAY, AUTUMN)
    assert clock.to_utc_ms(DOUBLED) == (AUTUMN + 1800) * 1000


def test_the_doubled_hour_stays_its_first_time_if_quotes_came_in_it() -> None:
    """A tick does not get another moment in the history than it was told with; the last ones of
    the hour are seen when it is over."""
    clock = BrokerClock()
    end = AUTUMN + 3 * HOUR
    beats = ((-1, end - 4), (0, end - 3), (1, end - 2), (2, end - 1), (HOUR - 1, end - 1))
    for second, quote in (*beats, (DAY, end - 1)):
        clock.observe(quote, AUTUMN + second)
        assert clock.to_utc_ms(DOUBLED) == (AUTUMN - 1800) * 1000
    assert clock.to_utc_ms((AUTUMN + 3 * HOUR) * 1000) == (AUTUMN + HOUR) * 1000


def test_the_doubled_hour_is_its_second_time_once_quotes_come_in_that() -> None:
    """What comes now was not then: the stamps of this broker do go back."""
    clock = BrokerClock()
    clock.observe(AUTUMN + 3 * HOUR - 1, AUTUMN - 1)
    for second in range(1800):
        clock.observe(AUTUMN + 2 * HOUR + second, AUTUMN + second)
    assert clock.to_utc_ms(DOUBLED) == (AUTUMN + 1800) * 1000


@pytest.mark.parametrize("seen", ["never", "before", "after", "quoted"])
@given(
    turn=st.sampled_from([SPRING * 1000, AUTUMN * 1000]),
    ends=st.tuples(st.integers(-240, 240), st.integers(-240, 240)).map(sorted),
    minute=st.integers(-240, 240),
)
def test_a_span_has_the_stamps_that_mean_a_moment_in_it(
    seen: str, turn: int, ends: list[int], minute: int
) -> None:
    """Whatever doubled hours mean: none is lost, and none is in two spans."""
    clock = BrokerClock()
    if seen in ("before", "quoted"):
        clock.observe(turn // 1000 + 3 * HOUR - 1, turn // 1000 - 1)
    if seen in ("after", "quoted"):
        clock.observe(turn // 1000 + 3 * HOUR - 1, turn // 1000)
    first, last = (turn + one * 60_000 for one in ends)
    stamp = turn + (minute + 150) * 60_000
    left_out = range(turn + 2 * HOUR * 1000, turn + 3 * HOUR * 1000)
    if turn == SPRING * 1000 and stamp in left_out:
        return  # no clock shows it
    begin, end = clock.stamps(first, last)
    assert (begin <= stamp <= end) == (first <= clock.to_utc_ms(stamp) <= last)


def test_a_bar_that_opens_in_the_hour_left_out_is_in_its_span() -> None:
    """Three hours long, from 09:00 on: it begins when the clock leaps from there."""
    clock = BrokerClock()
    opened = (SPRING + 2 * HOUR) * 1000
    assert clock.to_utc_ms(opened) == SPRING * 1000
    begin, end = clock.stamps(SPRING * 1000, SPRING * 1000)
    assert begin <= opened <= end


def test_another_account_s_broker_has_another_clock() -> None:
    """What is known of the old one is forgotten; of another account of one server nothing but the
    newest quote, which a terminal shows again after its login."""
    clock = BrokerClock()
    assert not clock.of_account(7, "Demo")
    teach(clock, SUMMER, 8 * HOUR)
    clock.see(SUMMER + 8 * HOUR, 1_000)
    assert not clock.of_account(0, "")  # logged in nowhere, for a moment
    assert not clock.of_account(7, "Demo")
    assert clock.shown_ms(1_000) == (SUMMER + 8 * HOUR) * 1000
    assert not clock.of_account(8, "Demo")
    assert (clock.shown_ms(1_000), clock.offset_s) == (None, 8 * HOUR)
    clock.see(SUMMER + 8 * HOUR, 1_000)
    assert clock.of_account(8, "Live")
    assert (clock.shown_ms(1_000), clock.is_measured) == (None, False)
    assert clock.to_broker_ms(SUMMER * 1000) == BrokerClock().to_broker_ms(SUMMER * 1000)
    teach(clock, SUMMER + 60, 2 * HOUR)
    assert clock.estimate.offset_s == 2 * HOUR
    assert clock.offset_at((SUMMER - 86_400) * 1000) != 8 * HOUR * 1000
