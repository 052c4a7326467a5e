"""Timeframes are aligned as MetaTrader aligns them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea_bridge.model import Timeframe
from ea_bridge.simulation.market.bars import bar_end, bar_start


def minute(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) // 60  # type: ignore[arg-type, misc]


@given(st.sampled_from(Timeframe), st.integers(minute(2020, 1, 1), minute(2040, 1, 1)))
def test_bars_follow_each_other_without_gap_or_overlap(timeframe: Timeframe, now: int) -> None:
    start = bar_start(timeframe, now)
    end = bar_end(timeframe, start)
    assert start <= now < end
    assert bar_start(timeframe, start) == start
    assert bar_start(timeframe, end - 1) == start
    assert bar_start(timeframe, end) == end


@pytest.mark.parametrize(
    ("timeframe", "when", "opened"),
    [
        (Timeframe.W1, (2026, 11, 18, 12, 0), (2026, 11, 15)),
        (Timeframe.W1, (2026, 11, 15, 0, 0), (2026, 11, 15)),
        (Timeframe.W1, (2026, 11, 14, 23, 59), (2026, 11, 8)),
        (Timeframe.MN1, (2024, 2, 29, 23, 59), (2024, 2, 1)),
        (Timeframe.MN1, (2024, 12, 31, 23, 59), (2024, 12, 1)),
        (Timeframe.H12, (2026, 11, 18, 12, 0), (2026, 11, 18, 12)),
        (Timeframe.H8, (2026, 11, 18, 15, 59), (2026, 11, 18, 8)),
        (Timeframe.H3, (2026, 11, 18, 23, 0), (2026, 11, 18, 21)),
        (Timeframe.M20, (2026, 11, 18, 12, 59), (2026, 11, 18, 12, 40)),
    ],
)
def test_weeks_start_on_sunday_months_by_the_calendar_hours_at_midnight(
    timeframe: Timeframe, when: tuple[int, ...], opened: tuple[int, ...]
) -> None:
    assert bar_start(timeframe, minute(*when)) == minute(*opened)


def test_a_month_ends_where_the_next_begins() -> None:
    assert bar_end(Timeframe.MN1, minute(2024, 2, 1)) == minute(2024, 3, 1)
    assert bar_end(Timeframe.MN1, minute(2025, 12, 1)) == minute(2026, 1, 1)
