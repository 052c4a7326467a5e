"""Ticks made from a bar build the bar again, however it looks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from market_parts import MINUTE, minute_bars

from ea_bridge.simulation.market.bars import MinuteBar, MinuteTile, join, span_of, turning_points
from ea_bridge.simulation.market.minute_bars import BarRow, cut, packaged_bars
from ea_bridge.simulation.market.sources import ticks_of

SCALE = 100_000


@settings(max_examples=150, deadline=None)
@given(minute_bars(), st.integers(0, 40_000_000))
def test_a_bar_from_its_ticks_is_the_bar(bar: MinuteBar, minute: int) -> None:
    """Open, high, low, close, tick volume and spread, exactly."""
    ticks = ticks_of(bar, minute, SCALE, "7/EURUSD")
    span = span_of(ticks, SCALE)
    assert span is not None
    assert MinuteBar(*span[:6]) == bar
    assert (span.ask_high, span.ask_low) == (bar.high + bar.spread, bar.low + bar.spread)


@settings(max_examples=100, deadline=None)
@given(minute_bars(), st.integers(0, 40_000_000))
def test_ticks_lie_in_their_minute_in_order(bar: MinuteBar, minute: int) -> None:
    stamps = [tick.time_msc for tick in ticks_of(bar, minute, SCALE, "7/EURUSD")]
    assert stamps == sorted(stamps)
    assert minute * MINUTE <= stamps[0]
    assert stamps[-1] < (minute + 1) * MINUTE


def test_a_rising_bar_falls_first_and_a_falling_one_rises_first() -> None:
    """The strategy tester's order of the extremes."""
    assert turning_points(MinuteBar(10, 20, 5, 15, 9, 0)) == [10, 5, 20, 15]
    assert turning_points(MinuteBar(15, 20, 5, 10, 9, 0)) == [15, 20, 5, 10]


def test_extremes_at_the_ends_are_no_turns() -> None:
    assert turning_points(MinuteBar(5, 20, 5, 20, 9, 0)) == [5, 20]
    assert turning_points(MinuteBar(5, 5, 5, 5, 1, 0)) == [5]


def test_the_same_key_makes_the_same_ticks_and_another_key_others() -> None:
    bar = MinuteBar(100, 140, 60, 120, 50, 3)
    assert ticks_of(bar, 5, SCALE, "1/A") == ticks_of(bar, 5, SCALE, "1/A")
    assert ticks_of(bar, 5, SCALE, "1/A") != ticks_of(bar, 5, SCALE, "2/A")
    assert ticks_of(bar, 5, SCALE, "1/A") != ticks_of(bar, 5, SCALE, "1/B")


def test_busy_minutes_have_ticks_that_share_a_millisecond() -> None:
    bar = MinuteBar(100, 140, 60, 120, 600, 3)
    stamps = [tick.time_msc for tick in ticks_of(bar, 5, SCALE, "1/A")]
    assert len(set(stamps)) < len(stamps)


def test_a_minute_gets_the_ticks_that_its_prices_need_at_least() -> None:
    tile = MinuteTile(1, 5)
    tile.put(3, MinuteBar(10, 20, 5, 15, 1, 0))
    bar = tile.minute(3)
    assert bar is not None
    assert bar.volume == 4
    assert len(ticks_of(bar, 3, SCALE, "k")) == 4


def test_every_cut_gold_bar_adds_up_to_itself() -> None:
    """All 5,490 of them: prices, ticks and spread."""
    for row in packaged_bars("XAUUSD_M5").rows:
        tile = MinuteTile(1, 2)
        parts = cut(row, 5)
        for slot, bar in enumerate(parts):
            tile.put(slot, bar)
        assert sum(bar.volume for bar in parts) == row.volume
        span = join(tile.span(slot, 1) for slot in range(5))
        assert span is not None
        assert span[:4] == row[1:5]
        assert span.spread == row.spread


def test_a_minute_long_bar_is_not_cut() -> None:
    assert cut(BarRow(9, 1, 4, 1, 3, 5, 6), 1) == [MinuteBar(1, 4, 1, 3, 5, 6)]
