"""Sources are functions of time: any minute, in any order, the same; spans agree with ticks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_parts import DAY, HOUR, MINUTE, SATURDAY, WEDNESDAY

from ea_bridge.simulation.clock import MONDAY, WEEK, hours_of
from ea_bridge.simulation.market.bars import MAX_TICKS_A_MINUTE, MinuteTile, span_of
from ea_bridge.simulation.market.minute_bars import BarRow, Tiles, packaged_bars
from ea_bridge.simulation.market.sources import (
    CoarseStamps,
    ModelledSource,
    PlayedOnce,
    RepeatedTape,
    Spliced,
    TickSource,
    WithoutMinutes,
    ZeroQuote,
)
from ea_bridge.simulation.market.tape import HEADER, packaged_tape, tape_from
from ea_bridge.simulation.specs import load_listings, load_specs

NOW = WEDNESDAY // MINUTE
THIS_MONDAY = NOW - (NOW - MONDAY) % WEEK


@cache
def tile(symbol: str, *, seed: int = 7, weekends: bool = False) -> MinuteTile:
    return Tiles(load_listings(), seed, weekends=weekends).tile(symbol)


def modelled(symbol: str, *, seed: int = 7, weekends: bool = False) -> ModelledSource:
    return ModelledSource(lambda: tile(symbol, seed=seed, weekends=weekends), f"{seed}/{symbol}")


@cache
def source(kind: str) -> TickSource:
    tape = packaged_tape("EURUSD", 5)
    if kind == "repeated":
        return RepeatedTape(tape, hours_of("fx"))
    if kind == "once":
        return PlayedOnce(tape, (NOW - tape.first_minute) // WEEK)
    if kind == "spliced":
        past = ModelledSource(lambda: tile("EURUSD"), "k", meeting=(THIS_MONDAY, 114_605))
        return Spliced(past, source("repeated"), THIS_MONDAY)
    if kind == "without":
        gaps = (range(NOW - 30, NOW - 25), range(NOW + 2, NOW + 20), range(NOW + 25, NOW + 26))
        return WithoutMinutes(source("repeated"), gaps)
    return modelled(kind)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        ["repeated", "without", "once", "spliced", "EURUSD", "XAUUSD", "BTCUSD", "EURGBP"]
    ),
    st.integers(-3 * 1440, 3 * 1440),
    st.integers(1, 40),
)
def test_a_span_is_what_its_ticks_amount_to(kind: str, offset: int, minutes: int) -> None:
    """The short way to a bar and the long one agree: prices, count, spread, ask range."""
    chosen = source(kind)
    begin = THIS_MONDAY + offset
    ticks = [tick for n in range(minutes) for tick in chosen.ticks(begin + n)]
    scale = 100 if kind in ("XAUUSD", "BTCUSD") else 100_000
    assert chosen.span(begin, minutes) == span_of(ticks, scale)


@pytest.mark.parametrize("symbol", ["EURUSD", "GBPUSD"])
def test_real_minutes_come_back_on_their_own_dates(symbol: str) -> None:
    """Whole weeks apart from the present, the tile shows every source bar exactly; where the
    source tells of no spread there is that of the specification: nobody quotes without one."""
    usual = load_specs()[symbol].spread
    assert usual > 0
    rows = packaged_bars(f"{symbol}_M1").rows
    chosen = modelled(symbol)
    for row in rows:
        span = chosen.span(row.minute + 52 * WEEK, 1)
        assert span is not None
        assert BarRow(row.minute, *span[:6]) == row._replace(spread=row.spread or usual)
    assert max(row.volume for row in rows) <= MAX_TICKS_A_MINUTE


def test_bars_of_another_length_of_tile_repeat_by_whole_weeks() -> None:
    chosen = modelled("GBPUSD")
    first = chosen.span(NOW, 60)
    assert first is not None
    assert chosen.span(NOW + 4 * WEEK, 60) == chosen.span(NOW - 8 * WEEK, 60) == first


def test_another_seed_changes_what_is_drawn_and_not_what_is_real() -> None:
    assert modelled("BTCUSD", seed=1).span(NOW, 60) != modelled("BTCUSD", seed=2).span(NOW, 60)
    assert modelled("GBPUSD", seed=1).span(NOW, 60) == modelled("GBPUSD", seed=2).span(NOW, 60)


def test_a_walk_ends_where_it_began() -> None:
    """So that it repeats without a jump."""
    drawn = tile("BTCUSD")
    first, last = drawn.minute(0), drawn.minute(drawn.size - 1)
    assert first is not None
    assert last is not None
    assert first.open == last.close == 7_872_750


def test_weekends_are_quiet_or_repeat_thursday_and_friday() -> None:
    saturday = SATURDAY // MINUTE
    assert modelled("GBPUSD").span(saturday - 720, 2 * 1440) is None
    covered = modelled("GBPUSD", weekends=True)
    assert covered.span(saturday, 60) == covered.span(saturday - 2 * 1440, 60) is not None
    bitcoin = modelled("BTCUSD", weekends=True)
    assert bitcoin.span(saturday, 60) != bitcoin.span(saturday - 2 * 1440, 60)


def test_a_cross_is_its_symbols_divided() -> None:
    eur, gbp, cross = (modelled(s).span(NOW, 1) for s in ("EURUSD", "GBPUSD", "EURGBP"))
    assert eur is not None
    assert gbp is not None
    assert cross is not None
    assert cross.close == round(eur.close / gbp.close * 100_000)


def test_the_past_is_shifted_so_that_it_meets_the_present() -> None:
    spliced = source("spliced")
    before, after = spliced.span(THIS_MONDAY - WEEK, WEEK), spliced.span(THIS_MONDAY, 1)
    assert before is not None
    assert after is not None
    assert before.close == 114_605 == after.open


def test_the_repeated_tape_runs_end_to_end_from_monday() -> None:
    tape, chosen = packaged_tape("EURUSD", 5), source("repeated")
    assert tape.minutes == 157
    again = [tick for n in range(157) for tick in chosen.ticks(THIS_MONDAY + 157 + n)]
    shift = (THIS_MONDAY + 157 - tape.first_minute) * MINUTE
    rows = [row for minute in tape.busy_minutes() for row in tape.read(minute)]
    assert [(t.time_msc - shift, t.bid, t.ask, t.flags) for t in again] == [
        (row.time_msc, row.bid / 1e5, row.ask / 1e5, row.flags) for row in rows
    ]


def test_a_long_tape_keeps_its_weekdays(tmp_path: Path) -> None:
    """A day or more: moved by whole weeks, not run end to end."""
    path = tmp_path / "t.csv"
    start = WEDNESDAY - 700 * DAY  # a Wednesday too
    stamps = [start, start + 30 * HOUR]
    lines = [HEADER.decode(), *(f"{stamp},1.1,1.2,6" for stamp in stamps)]
    path.write_text("\n".join(lines), encoding="ascii")
    chosen = RepeatedTape(tape_from(path, 5), hours_of("fx"))
    ticks = [t for n in range(WEEK) for t in chosen.ticks(THIS_MONDAY + n)]
    assert [tick.time_msc for tick in ticks] == [WEDNESDAY, WEDNESDAY + 30 * HOUR]


def test_a_played_tape_is_there_once_and_nothing_around_it() -> None:
    tape, chosen = packaged_tape("EURUSD", 5), source("once")
    assert isinstance(chosen, PlayedOnce)
    assert (chosen.first_msc - tape.first.time_msc) % (WEEK * MINUTE) == 0
    span = chosen.span(chosen.first_minute - WEEK, 3 * WEEK)
    assert span is not None
    assert span.volume == 10_000


def test_coarse_stamps_are_shared_and_stay_in_order() -> None:
    coarse = CoarseStamps(modelled("EURUSD"), 1000)
    ticks = coarse.ticks(NOW)
    stamps = [tick.time_msc for tick in ticks]
    assert [(t.bid, t.ask) for t in ticks] == [
        (t.bid, t.ask) for t in modelled("EURUSD").ticks(NOW)
    ]
    assert stamps == sorted(stamps)
    assert all(stamp % 1000 == 0 for stamp in stamps)
    assert len(set(stamps)) < len(stamps)
    assert coarse.span(NOW, 1) == modelled("EURUSD").span(NOW, 1)


@pytest.mark.parametrize("grain_ms", [0, -1, 7, 60_001])
def test_steps_that_dont_divide_a_minute_are_refused(grain_ms: int) -> None:
    with pytest.raises(ValueError, match="don't divide a minute"):
        CoarseStamps(modelled("EURUSD"), grain_ms)


def test_a_tick_without_prices_comes_first_and_is_in_no_bar() -> None:
    plain = modelled("EURUSD")
    at_msc = plain.ticks(NOW)[0].time_msc
    quirky = ZeroQuote(plain, at_msc)
    first = quirky.ticks(NOW)[0]
    assert (first.time_msc, first.bid, first.ask) == (at_msc, 0.0, 0.0)
    assert quirky.ticks(NOW)[1:] == plain.ticks(NOW)
    assert span_of(quirky.ticks(NOW), 100_000) == quirky.span(NOW, 1) == plain.span(NOW, 1)
    assert quirky.ticks(NOW + 1) == plain.ticks(NOW + 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(-60, 60), st.integers(1, 90))
def test_nothing_happens_in_minutes_that_are_left_out(first: int, minutes: int) -> None:
    """And all others are as they were, on both sides and in between."""
    whole, holed = source("repeated"), source("without")
    left_out = {*range(-30, -25), *range(2, 20), 25}
    for minute in range(first, first + minutes):
        expected = () if minute in left_out else whole.ticks(NOW + minute)
        assert list(holed.ticks(NOW + minute)) == list(expected)
    ticks = [
        tick for minute in range(first, first + minutes) for tick in holed.ticks(NOW + minute)
    ]
    assert holed.span(NOW + first, minutes) == span_of(ticks, 10**5)
