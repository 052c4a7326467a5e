"""The packaged ticks as a live market has them: real prices, no pauses, no jumps."""

from __future__ import annotations

from itertools import pairwise

from market_parts import DAY, HOUR, MINUTE, WEDNESDAY, advance_to

from ea_bridge.model import Tick, Timeframe
from ea_bridge.simulation.market import Market, open_market
from ea_bridge.simulation.market.opening import endless_tape
from ea_bridge.simulation.market.tape import RecordedTick, packaged_tape

TICKS = 10_000
MONDAY = WEDNESDAY - 2 * DAY - 12 * HOUR
LONGEST_MS = 1600
LARGEST_MOVE = 35
"""Points from one recorded bid to the next."""


def rows_of(tape: object) -> list[RecordedTick]:
    """All ticks of a tape."""
    return [row for minute in tape.busy_minutes() for row in tape.read(minute)]  # type: ignore[attr-defined]


def live(begin: int, minutes: int) -> tuple[Market, list[Tick]]:
    """EURUSD as it comes live for some time."""
    market = open_market(start_msc=begin)
    market.selected = {"EURUSD"}
    return market, [tick for _, tick in advance_to(market, begin + minutes * MINUTE)]


def points(price: float) -> int:
    """A price in points."""
    return round(price * 1e5)


def test_every_recorded_tick_comes_and_then_its_mirror_image() -> None:
    """In their order, with their spreads, and nothing in between."""
    recorded = rows_of(packaged_tape("EURUSD", 5))
    played = rows_of(endless_tape("EURUSD", 5))
    forth, mirrored = played[:TICKS], played[TICKS:]
    assert [row[1:] for row in forth] == [row[1:] for row in recorded]
    sums = {row.bid + image.ask for row, image in zip(recorded, mirrored, strict=True)}
    assert len(sums) == 1
    spreads = [row.ask - row.bid for row in recorded]
    assert [row.ask - row.bid for row in mirrored] == spreads


def test_the_market_never_stands_still_and_never_jumps() -> None:
    """Over two rounds and a beginning of the week: a tick at least every two seconds, and no move
    that was not recorded."""
    for begin in (WEDNESDAY, MONDAY + 7 * DAY - HOUR):
        _, ticks = live(begin, 6 * 60)
        assert max(b.time_msc - a.time_msc for a, b in pairwise(ticks)) <= LONGEST_MS
        moves = [abs(points(b.bid) - points(a.bid)) for a, b in pairwise(ticks)]
        assert max(moves) <= LARGEST_MOVE
        assert len(ticks) > 2 * TICKS


def test_bars_agree_with_the_ticks() -> None:
    """Each bar is what its ticks amount to, across the places where the recording turns."""
    market, ticks = live(WEDNESDAY, 4 * 60)
    bars = market.bars("EURUSD", Timeframe.M1, from_s=WEDNESDAY // 1000 + 60)
    for bar in bars[:-1]:
        inside = [tick for tick in ticks if tick.time_msc // MINUTE * 60 == bar.time]
        bids = [tick.bid for tick in inside]
        told = (bar.open, bar.high, bar.low, bar.close, bar.tick_volume)
        assert told == (bids[0], max(bids), min(bids), bids[-1], len(bids))
    assert len(bars) >= 4 * 60 - 1


def test_flags_say_what_changed() -> None:
    """Of the mirror image as well, where bid and ask have changed places."""
    played = rows_of(endless_tape("EURUSD", 5))[TICKS:]
    for before, row in pairwise(played):
        assert row.flags == 2 * (row.bid != before.bid) + 4 * (row.ask != before.ask)
