"""The present moves on: what advance tells, in which order, and that history agrees."""

from __future__ import annotations

import gc
import tracemalloc
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_parts import DAY, HOUR, MINUTE, SATURDAY, WEDNESDAY, advance_to, play

from ea_bridge.model import BookType, Timeframe
from ea_bridge.simulation.clock import hours_of
from ea_bridge.simulation.market import (
    MAX_TICKS_A_STEP,
    CoarseStamps,
    Market,
    TickFileError,
    UnknownSymbol,
    open_market,
)
from ea_bridge.simulation.market.bars import MAX_TICKS_A_MINUTE, MinuteBar, MinuteTile
from ea_bridge.simulation.market.sources import ModelledSource
from ea_bridge.simulation.market.tape import HEADER, packaged_tape
from ea_bridge.simulation.specs import load_specs

WEEK = 7 * DAY
FLAT_BYTES = 500_000


def market_at(
    start_msc: int = WEDNESDAY, *, watched: str = "EURUSD GBPUSD", **options: object
) -> Market:
    """Watch few symbols, since the tiles of all take a moment to make."""
    market = open_market(start_msc=start_msc, **{"seed": 7, **options})  # type: ignore[arg-type]
    market.selected = set(watched.split())
    return market


def test_a_market_satisfies_the_broker(still: Market) -> None:
    from ea_bridge.simulation.broker import QuoteSource

    quotes: QuoteSource = still
    assert quotes.symbol("EURUSD") is still.symbols()["EURUSD"]
    assert quotes.symbol("nothing") is None
    assert quotes.tick("nothing") is None
    assert not quotes.is_open("nothing", WEDNESDAY)


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.symbol_info("nothing"),
        lambda m: m.book("nothing"),
        lambda m: m.ticks("nothing"),
        lambda m: m.bars("nothing", Timeframe.M1),
        lambda m: m.builder("nothing", Timeframe.M1),
        lambda m: m.sessions("nothing"),
        lambda m: m.next_open("nothing", 0),
        lambda m: m.select("nothing"),
    ],
)
def test_an_unknown_symbol_is_an_error(still: Market, ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnknownSymbol):
        ask(still)


def test_ticks_come_merged_in_the_order_of_time() -> None:
    market = market_at()
    told = advance_to(market, WEDNESDAY + 5 * MINUTE)
    stamps = [tick.time_msc for _, tick in told]
    assert stamps == sorted(stamps)
    assert stamps[0] > WEDNESDAY
    assert stamps[-1] <= WEDNESDAY + 5 * MINUTE
    assert {name for name, _ in told} == market.selected


def test_what_was_told_is_what_history_says() -> None:
    market = market_at()
    told = advance_to(market, WEDNESDAY + 7 * MINUTE)
    for symbol in market.selected:
        ticks = [tick for name, tick in told if name == symbol]
        assert market.ticks(symbol, from_msc=WEDNESDAY + 1) == ticks
        assert market.tick(symbol) == ticks[-1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 4 * MINUTE), min_size=1, max_size=12))
def test_small_steps_and_big_ones_tell_the_same(steps: list[int]) -> None:
    gradual, at_once = market_at(), market_at()
    told, now = [], WEDNESDAY
    for step in steps:
        now += step
        told += advance_to(gradual, now)
    assert told == advance_to(at_once, now)


def test_the_same_seed_tells_the_same_and_another_differs_where_prices_are_drawn() -> None:
    watched = "EURUSD GBPUSD BTCUSD"
    one, same, other = (market_at(seed=seed, watched=watched) for seed in (1, 1, 2))
    told = [advance_to(market, WEDNESDAY + 3 * MINUTE) for market in (one, same, other)]
    assert told[0] == told[1]
    for symbol, differs in (("EURUSD", False), ("GBPUSD", True), ("BTCUSD", True)):
        first, second = ([t for n, t in each if n == symbol] for each in (told[0], told[2]))
        assert (first != second) is differs


def test_a_symbols_ticks_dont_depend_on_who_else_is_watched() -> None:
    alone, all_of_them = market_at(watched="XAUUSD"), market_at(watched="EURUSD XAUUSD BTCUSD")
    told = advance_to(alone, WEDNESDAY + 3 * MINUTE)
    others = advance_to(all_of_them, WEDNESDAY + 3 * MINUTE)
    assert told == [pair for pair in others if pair[0] == "XAUUSD"]


def test_selecting_decides_what_is_told_and_not_what_can_be_asked() -> None:
    market = market_at()
    market.select("EURUSD", enable=False)
    market.select("#US 30:cash")
    names = {name for name, _ in advance_to(market, WEDNESDAY + 2 * MINUTE)}
    assert "EURUSD" not in names
    assert "#US 30:cash" in names
    tick = market.tick("EURUSD")
    assert tick is not None
    assert tick.time_msc > WEDNESDAY


def test_what_a_terminal_watches_at_first_are_the_usual_symbols() -> None:
    selected = open_market(start_msc=WEDNESDAY).selected
    assert {"EURUSD", "GBPUSD", "XAUUSD", "BTCUSD"} <= selected
    assert "EURUSD.r" not in selected


def test_one_step_is_bounded_and_says_that_there_is_more() -> None:
    market = market_at()
    first = market.advance(WEDNESDAY + 2 * DAY)
    assert market.behind
    assert MAX_TICKS_A_STEP <= len(first) < MAX_TICKS_A_STEP + 100
    assert market.now_msc == first[-1][1].time_msc
    second = market.advance(WEDNESDAY + 2 * DAY)
    assert second[0][1].time_msc > market.now_msc - DAY
    assert first[-1][1].time_msc < second[0][1].time_msc


def test_ticks_of_one_millisecond_are_never_parted() -> None:
    """A cursor of stamps would lose the second half."""
    sources = {
        name: CoarseStamps(ModelledSource(partial(_busy_tile, name), name), MINUTE)
        for name in ("EURUSD", "GBPUSD")
    }
    specs = {name: spec for name, spec in load_specs().items() if name in sources}
    hours = {name: hours_of("crypto") for name in sources}
    market = Market(specs, start_msc=WEDNESDAY - 1, sources=sources, hours=hours)
    parts = [market.advance(WEDNESDAY + 9 * MINUTE)]
    while market.behind:
        parts.append(market.advance())
    stamps = [{tick.time_msc for _, tick in part} for part in parts]
    assert len(parts) > 1
    assert all(not earlier & later for earlier, later in pairwise(stamps))
    assert sum(map(len, parts)) == 10 * 2 * MAX_TICKS_A_MINUTE


def _busy_tile(name: str) -> MinuteTile:
    tile = MinuteTile(1, 5)
    for slot in range(tile.size):
        tile.put(slot, MinuteBar(100, 140, 60, 120, MAX_TICKS_A_MINUTE, len(name)))
    return tile


def test_an_earlier_time_does_not_call_off_what_is_still_to_be_told() -> None:
    market = market_at()
    market.advance(WEDNESDAY + DAY)
    assert market.advance(WEDNESDAY)
    assert market.behind


def test_a_weekend_is_passed_in_bounded_steps_too() -> None:
    market = market_at(SATURDAY, sessions="real")
    market.selected = {"EURUSD"}
    calls = [market.advance(SATURDAY + 36 * HOUR + MINUTE)]
    while market.behind:
        calls.append(market.advance(SATURDAY + 36 * HOUR + MINUTE))
    assert [bool(told) for told in calls] == [False, True]


def test_time_never_goes_back() -> None:
    market = market_at()
    advance_to(market, WEDNESDAY + MINUTE)
    assert market.advance(WEDNESDAY) == []
    assert market.now_msc == WEDNESDAY + MINUTE
    assert not market.behind


def test_the_quote_of_a_symbol_follows_the_day(still: Market) -> None:
    info = still.symbol_info("EURUSD")
    midnight = WEDNESDAY - 12 * HOUR
    day = still.ticks("EURUSD", from_msc=midnight)
    assert (info.bid, info.ask, info.time) == (
        day[-1].bid,
        day[-1].ask,
        day[-1].time_msc // 1000,
    )
    assert info.spread == round((info.ask - info.bid) / info.point)
    assert info.bidhigh == max(tick.bid for tick in day)
    assert info.bidlow == min(tick.bid for tick in day)
    assert info.askhigh == max(tick.ask for tick in day)
    assert info.asklow == min(tick.ask for tick in day)
    assert info.session_open == day[0].bid
    yesterday = still.ticks("EURUSD", to_msc=midnight - 1, count=1)[0]
    assert info.session_close == yesterday.bid
    change = (info.bid - yesterday.bid) / yesterday.bid * 100
    assert info.price_change == pytest.approx(change, abs=1e-4)


def test_on_a_closed_day_the_extremes_are_the_last_quote() -> None:
    market = market_at(SATURDAY, sessions="real")
    info = market.symbol_info("EURUSD")
    assert info.bidhigh == info.bidlow == info.bid > 0
    assert info.session_open == 0.0
    assert info.time * 1000 < SATURDAY - 12 * HOUR


def test_the_book_surrounds_the_quote() -> None:
    market = market_at()
    spec = market.symbols()["EURUSD"]
    for _ in range(20):
        advance_to(market, market.now_msc + 5000)
        tick, book = market.tick("EURUSD"), market.book("EURUSD")
        assert tick is not None
        asks = [entry.price for entry in book if entry.type == BookType.SELL]
        bids = [entry.price for entry in book if entry.type == BookType.BUY]
        assert (asks[0], bids[0]) == (tick.ask, tick.bid)
        assert asks == sorted(set(asks))
        assert bids == sorted(set(bids), reverse=True)
        assert len(asks) == len(bids) == spec.ticks_bookdepth
        assert all(entry.volume >= spec.volume_min for entry in book)
        assert book == market.book("EURUSD")


def test_a_symbol_without_depth_has_no_book(still: Market) -> None:
    assert still.book("GBPUSD") == []


def test_minutes_take_no_more_memory_than_one() -> None:
    """Whatever the pace: ticks are made, told and forgotten."""
    market = market_at(watched="EURUSD GBPUSD XAUUSD BTCUSD")
    tracemalloc.start()
    try:
        advance_to(market, WEDNESDAY + 2 * HOUR)  # whatever is kept, is kept by now
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for seconds in range(0, 1200, 20):
            advance_to(market, WEDNESDAY + 2 * HOUR + seconds * 1000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < FLAT_BYTES


# --- flat out ------------------------------------------------------------------------------


def test_flat_out_the_file_is_told_whole_in_order_once() -> None:
    market = market_at(flat_out=True)
    told = [tick for name, tick in play(market) if name == "EURUSD"]
    tape = packaged_tape("EURUSD", 5)
    rows = [row for minute in tape.busy_minutes() for row in tape.read(minute)]
    shift = told[0].time_msc - rows[0].time_msc
    assert shift % WEEK == 0
    assert [(t.time_msc - shift, t.bid, t.ask, t.flags) for t in told] == [
        (row.time_msc, row.bid / 1e5, row.ask / 1e5, row.flags) for row in rows
    ]


def test_flat_out_the_newest_tick_is_this_weeks() -> None:
    market = market_at(flat_out=True)
    *_, (_, last) = play(market)
    assert WEDNESDAY - WEEK < last.time_msc <= WEDNESDAY


def test_flat_out_prices_stand_still_after_the_end() -> None:
    market = market_at(flat_out=True)
    assert market.flat_out
    told = list(play(market))
    last = market.tick("EURUSD")
    assert market.advance(WEDNESDAY + WEEK) == []
    assert not market.behind
    assert market.tick("EURUSD") == last
    assert market.now_msc == told[-1][1].time_msc


def test_flat_out_steps_are_bounded_and_history_follows() -> None:
    market = market_at(flat_out=True)
    assert market.ticks("EURUSD", count=1)[0].time_msc < market.now_msc
    first = market.advance()
    assert MAX_TICKS_A_STEP <= len(first) < MAX_TICKS_A_STEP + 100
    for name in ("EURUSD", "GBPUSD"):
        expected = [tick for one, tick in first if one == name]
        assert market.ticks(name, from_msc=first[0][1].time_msc)[-len(expected) :] == expected


# --- a user's files --------------------------------------------------------------------------


def write(path: Path, stamps: list[int], price: str = "1.20000") -> Path:
    lines = [HEADER.decode(), *(f"{stamp},{price},{price[:-1]}9,6" for stamp in stamps)]
    path.write_text("\n".join(lines), encoding="ascii")
    return path


def test_a_users_file_replaces_the_packaged_ticks(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [5_000, 5_000, 70_000])
    market = market_at(tick_files=[("EURUSD", path)])
    market.selected = {"EURUSD"}
    told = advance_to(market, WEDNESDAY + 2 * MINUTE)
    assert [tick.time_msc - WEDNESDAY for _, tick in told] == [5_000, 5_000, 70_000]
    assert {tick.bid for _, tick in told} == {1.2}


def test_a_users_file_may_be_of_a_symbol_that_nobody_lists(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [5_000], price="77.123")
    files = [("ACME #1:x", path)]
    market = market_at(tick_files=files, flat_out=True, watched="")
    market.select("ACME #1:x")
    told = list(play(market))
    assert [(name, tick.bid) for name, tick in told] == [("ACME #1:x", 77.123)]
    assert market.symbols()["ACME #1:x"].digits == 3


def test_files_played_together_keep_their_distance(tmp_path: Path) -> None:
    """All are moved by the same number of weeks."""
    start = WEDNESDAY - 900 * DAY
    one = write(tmp_path / "1.csv", [start, start + 2 * HOUR])
    two = write(tmp_path / "2.csv", [start + HOUR, start + 3 * DAY])
    market = market_at(tick_files=[("EURUSD", one), ("GBPUSD", two)], flat_out=True)
    told = list(play(market))
    assert [name for name, _ in told][:3] == ["EURUSD", "GBPUSD", "EURUSD"]
    stamps = [tick.time_msc for _, tick in told]
    assert [stamp - stamps[0] for stamp in stamps] == [0, HOUR, 2 * HOUR, 3 * DAY]


def test_a_long_pause_in_a_file_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [1_000, 60 * DAY])
    market = market_at(tick_files=[("EURUSD", path)], flat_out=True)
    market.selected = {"EURUSD"}
    assert len(list(play(market))) == 2


def test_two_files_of_one_symbol_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [5_000])
    with pytest.raises(TickFileError, match="EURUSD has a file already"):
        market_at(tick_files=[("EURUSD", path), ("EURUSD", path)])


def test_a_wrong_file_is_refused_when_the_market_opens(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("nonsense", encoding="ascii")
    with pytest.raises(TickFileError, match="line 1"):
        market_at(tick_files=[("EURUSD", path)])
