"""The broker's clock as its quotes show it, whatever the clock of the PC shows."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.broker_time.clock import AGREEING, EARLIEST_S, BrokerClock

SUMMER = int(datetime(2026, 6, 10, 12, tzinfo=UTC).timestamp())
HOUR = 3600


def teach(clock: BrokerClock, at: int, offset: int) -> None:
    """Heartbeats with a fresh quote in each."""
    for second in range(AGREEING + 1):
        clock.observe(at + second + offset - 1, at + second)


def test_what_the_broker_s_clock_shows_is_known_by_its_quotes() -> None:
    """It goes on by a clock that nobody sets, from the moment at which a quote was seen."""
    clock = BrokerClock()
    assert clock.shown_ms(5_000) is None
    clock.see(0, 5_000)
    assert clock.shown_ms(5_000) is None
    clock.see(SUMMER, 6_000)
    clock.see(SUMMER, 9_000)
    assert clock.shown_ms(9_500) == SUMMER * 1000 + 3_500
    clock.see(SUMMER - HOUR, 10_000)
    assert clock.shown_ms(10_000) == (SUMMER - HOUR) * 1000


def test_what_the_broker_s_clock_shows_at_the_least_is_known_for_a_minute() -> None:
    """Without quotes the clock may be put back."""
    clock = BrokerClock()
    assert clock.least_ms(5_000) is None
    clock.see(SUMMER, 6_000)
    clock.see(SUMMER, 60_000)
    assert clock.least_ms(66_000) == (SUMMER + 60) * 1000
    assert clock.least_ms(66_001) is None


def test_the_present_is_told_by_quotes_that_come_and_not_by_a_clock_that_is_set() -> None:
    """A quote that was there before may be old, and one that is an hour old is: ours counts."""
    clock, stamp_s = BrokerClock(), SUMMER + 3 * HOUR
    teach(clock, SUMMER, 3 * HOUR)
    wrong_ms = (SUMMER + 10 * HOUR) * 1000
    by_ours_ms = wrong_ms + 3 * HOUR * 1000
    clock.see(stamp_s - 9, 1_000)
    assert clock.present_ms(wrong_ms, 1_000) == by_ours_ms
    clock.see(stamp_s, 2_000)
    assert clock.present_ms(wrong_ms, 2_500) == stamp_s * 1000 + 500
    assert clock.present_ms(wrong_ms, 3_602_000) == (stamp_s + HOUR) * 1000
    assert clock.present_ms(wrong_ms, 3_602_001) == by_ours_ms
    clock.see(stamp_s + 9, 2_000 + 60_001)  # the link was away: it may have come at any time
    assert clock.present_ms(wrong_ms, 62_001) == by_ours_ms


def test_the_first_quote_of_another_account_does_not_tell_the_present() -> None:
    """A terminal shows the newest that it has, which may be as old as the weekend."""
    clock = BrokerClock()
    clock.of_account(7, "Demo")
    clock.see(SUMMER, 1_000)
    clock.see(SUMMER + 1, 2_000)
    clock.of_account(8, "Demo")
    clock.see(SUMMER - HOUR, 3_000)
    assert clock.present_ms(SUMMER * 1000, 3_000) == clock.broker_now_ms(SUMMER * 1000)


def test_a_stamp_of_no_time_is_no_quote() -> None:
    """A terminal that has never seen one shows 0, or the beginning of time."""
    clock = BrokerClock()
    clock.see(1, 6_000)
    clock.see(EARLIEST_S - 1, 6_000)
    assert clock.shown_ms(7_000) is None
    clock.see(EARLIEST_S, 6_000)
    assert clock.shown_ms(7_000) == EARLIEST_S * 1000 + 1_000
