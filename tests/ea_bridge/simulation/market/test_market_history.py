"""Requests for ticks and bars are answered as MetaTrader answers them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_parts import DAY, HOUR, MINUTE, NOW, SATURDAY, WEDNESDAY

from ea_bridge.model import Bar, CopyTicks, TickFlag, Timeframe
from ea_bridge.simulation.market import FIRST_MINUTE, MAX_BARS, MAX_TICKS, Market, open_market
from ea_bridge.simulation.market.bars import bar_start

NOW_S = NOW // 1000
SHORT = (Timeframe.M1, Timeframe.H1, Timeframe.D1)
SYMBOLS = ("EURUSD", "XAUUSD", "BTCUSD")


def day_s(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


def joined(bars: list[Bar], time_s: int) -> Bar:
    return Bar(
        time_s,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.tick_volume for bar in bars),
        min(bar.spread for bar in bars),
    )


def merged(bars: list[Bar], timeframe: Timeframe) -> list[Bar]:
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(bar_start(timeframe, bar.time // 60) * 60, []).append(bar)
    return [joined(group, time_s) for time_s, group in groups.items()]


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("timeframe", Timeframe)
def test_every_timeframe_is_the_union_of_its_shorter_bars(
    still: Market, symbol: str, timeframe: Timeframe
) -> None:
    """Minutes up to a day, days beyond; over the seam of replay and past, and the forming bar."""
    parts = Timeframe.M1 if timeframe.minutes < Timeframe.D1.minutes else Timeframe.H1
    days = 4 if parts is Timeframe.M1 else 70
    from_s = bar_start(timeframe, (NOW - days * DAY) // MINUTE) * 60
    shorter = still.bars(symbol, parts, from_s=from_s, to_s=NOW_S)
    assert still.bars(symbol, timeframe, from_s=from_s, to_s=NOW_S) == merged(shorter, timeframe)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_minutes_are_the_union_of_their_ticks(still: Market, symbol: str) -> None:
    begin = WEDNESDAY - 90 * MINUTE
    ticks = still.ticks(symbol, from_msc=begin, to_msc=NOW)
    point = still.symbols()[symbol].point
    from_ticks = [
        Bar(t.time_msc // 1000, t.bid, t.bid, t.bid, t.bid, 1, round((t.ask - t.bid) / point))
        for t in ticks
    ]
    assert still.bars(symbol, Timeframe.M1, from_s=begin // 1000) == merged(
        from_ticks, Timeframe.M1
    )


@pytest.mark.parametrize("timeframe", Timeframe)
def test_positions_count_back_from_the_forming_bar(still: Market, timeframe: Timeframe) -> None:
    bars = still.bars("GBPUSD", timeframe, start=0, count=9)
    assert len(bars) == 9
    assert bars == sorted(bars, key=lambda bar: bar.time)
    assert bars[-1].time == bar_start(timeframe, NOW_S // 60) * 60
    assert still.bars("GBPUSD", timeframe, start=3, count=2) == bars[4:6]
    assert still.bars("GBPUSD", timeframe, to_s=bars[-2].time, count=2) == bars[6:8]
    assert still.bars("GBPUSD", timeframe, from_s=bars[2].time, to_s=bars[4].time) == bars[2:5]
    assert (
        still.bars("GBPUSD", timeframe, from_s=bars[2].time + 1, to_s=bars[4].time - 1)
        == bars[3:4]
    )


@pytest.mark.parametrize("timeframe", [Timeframe.H4, Timeframe.D1, Timeframe.W1, Timeframe.MN1])
def test_history_reaches_back_to_2020(still: Market, timeframe: Timeframe) -> None:
    oldest = still.bars("USDJPY", timeframe, from_s=0)[0]
    assert oldest.time == bar_start(timeframe, FIRST_MINUTE) * 60


def test_the_first_week_holds_only_its_days_of_2020(still: Market) -> None:
    """It opens on Sunday, 29 December 2019, but history begins on Wednesday."""
    week = still.bars("USDJPY", Timeframe.W1, from_s=0)[0]
    hours = still.bars("USDJPY", Timeframe.H1, from_s=0, to_s=week.time + 7 * 86_400 - 1)
    assert week == joined(hours, day_s(2019, 12, 29))


def test_dates_of_2020_work_as_in_the_documentation(still: Market) -> None:
    day = day_s(2020, 1, 10)
    bars = still.bars("USDJPY", Timeframe.M5, from_s=day, to_s=day + 86_400)
    assert len(bars) == 289  # both ends count
    assert len(still.ticks("EURUSD", from_msc=day * 1000, count=1000)) == 1000


def test_nothing_is_older_than_2020_or_later_than_now(still: Market) -> None:
    assert still.bars("EURUSD", Timeframe.H1, from_s=0, to_s=day_s(2019, 12, 31)) == []
    assert still.ticks("EURUSD", from_msc=0, to_msc=day_s(2019, 12, 31) * 1000) == []
    assert still.bars("EURUSD", Timeframe.H1, from_s=NOW_S + 3600, to_s=NOW_S + 7200) == []
    assert still.ticks("EURUSD", from_msc=NOW + 1) == []
    newest = still.ticks("EURUSD", to_msc=NOW + HOUR, count=1)[-1]
    assert newest == still.tick("EURUSD")
    assert newest.time_msc <= NOW


def test_an_answer_has_bounds(still: Market) -> None:
    assert len(still.bars("EURUSD", Timeframe.M1, from_s=0)) == MAX_BARS
    assert len(still.bars("EURUSD", Timeframe.M1, start=MAX_BARS - 5, count=10)) == 5
    assert still.bars("EURUSD", Timeframe.M1, start=MAX_BARS, count=10) == []
    assert still.bars("EURUSD", Timeframe.M1, start=10**12, count=10) == []
    assert still.bars("EURUSD", Timeframe.M1, start=-1, count=10) == []
    assert still.bars("EURUSD", Timeframe.M1, start=0, count=0) == []
    assert len(still.ticks("EURUSD", count=10**9)) == MAX_TICKS
    assert still.ticks("EURUSD", count=0) == []


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(SYMBOLS),
    st.integers(-9 * DAY, 0),
    st.integers(0, 20 * MINUTE),
    st.integers(1, 400),
)
def test_ticks_of_a_span_are_those_of_its_parts(
    still: Market, symbol: str, offset: int, length: int, count: int
) -> None:
    begin, end = NOW + offset, NOW + offset + length
    whole = still.ticks(symbol, from_msc=begin, to_msc=end)
    middle = begin + length // 2
    first = still.ticks(symbol, from_msc=begin, to_msc=middle)
    assert whole == first + still.ticks(symbol, from_msc=middle + 1, to_msc=end)
    assert all(begin <= tick.time_msc <= end for tick in whole)
    assert still.ticks(symbol, from_msc=begin, to_msc=end, count=count) == whole[:count]
    newest = still.ticks(symbol, to_msc=end, count=count)
    assert len(newest) == count
    assert newest[-len(whole) :][-count:] == whole[-count:] or not whole


def test_kinds_of_ticks(still: Market) -> None:
    """Quotes that changed; trades there are none."""
    begin = NOW - 10 * MINUTE
    every = still.ticks("EURUSD", from_msc=begin)
    changed = still.ticks("EURUSD", from_msc=begin, flags=CopyTicks.INFO)
    assert changed == [t for t in every if t.flags & (TickFlag.BID | TickFlag.ASK)]
    assert 0 < len(changed) < len(every)
    assert still.ticks("EURUSD", flags=CopyTicks.TRADE) == []


@pytest.mark.parametrize("symbol", ["EURUSD", "XAUUSD"])
def test_with_real_sessions_weekends_have_neither_ticks_nor_bars(symbol: str) -> None:
    market = open_market(start_msc=SATURDAY, seed=7, sessions="real")
    friday_night = SATURDAY - 12 * HOUR
    assert market.ticks(symbol, from_msc=friday_night) == []
    assert market.bars(symbol, Timeframe.M1, from_s=friday_night // 1000) == []
    last = market.tick(symbol)
    assert last is not None
    assert friday_night - HOUR < last.time_msc < friday_night
    assert not market.is_open(symbol, SATURDAY)
    assert market.next_open(symbol, SATURDAY) >= SATURDAY + 36 * HOUR
    assert market.is_open("BTCUSD", SATURDAY)
    assert market.ticks("BTCUSD", from_msc=SATURDAY - MINUTE)


def test_no_tick_ever_lies_outside_the_real_sessions() -> None:
    market = open_market(start_msc=NOW, seed=7, sessions="real")
    for symbol in ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "EURGBP"):
        for bar in market.bars(symbol, Timeframe.M1, from_s=(NOW - 9 * DAY) // 1000):
            assert market.is_open(symbol, bar.time * 1000)


def test_always_means_that_a_saturday_has_ticks(still: Market) -> None:
    saturday = SATURDAY - 7 * DAY
    for symbol in sorted(still.selected):
        assert still.is_open(symbol, saturday)
        assert still.ticks(symbol, from_msc=saturday, to_msc=saturday + 5 * MINUTE)
