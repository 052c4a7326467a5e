"""A bar followed tick by tick is the bar that history tells afterwards."""

from __future__ import annotations

import pytest
from market_parts import DAY, HOUR, MINUTE, WEDNESDAY, advance_to

from ea_bridge.model import Bar, Tick, Timeframe
from ea_bridge.simulation.market import BarBuilder, Market, open_market


@pytest.fixture
def market() -> Market:
    market = open_market(start_msc=WEDNESDAY + 17_345, seed=7)
    market.selected = {"EURUSD"}
    return market


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M12, Timeframe.H1])
def test_closed_bars_and_the_forming_one_are_those_of_history(
    market: Market, timeframe: Timeframe
) -> None:
    builder = market.builder("EURUSD", timeframe)
    told = advance_to(market, market.now_msc + 2 * HOUR)
    closed = [bar for _, tick in told if (bar := builder.add(tick))]
    bars = market.bars("EURUSD", timeframe, start=0, count=len(closed) + 1)
    assert closed
    assert bars == [*closed, builder.forming]


def test_a_bar_closes_with_the_first_tick_of_a_later_one() -> None:
    """Not when its time is over: a bar without a tick never exists."""
    builder = BarBuilder(Timeframe.M1, 5)
    assert builder.forming is None
    assert builder.add(Tick(WEDNESDAY, 1.1, 1.2)) is None
    assert builder.add(Tick(WEDNESDAY + MINUTE - 1, 1.3, 1.31)) is None
    closed = builder.add(Tick(WEDNESDAY + 5 * MINUTE, 1.25, 1.26))
    assert closed == Bar(WEDNESDAY // 1000, 1.1, 1.3, 1.1, 1.3, 2, 1000)
    assert builder.forming == Bar(WEDNESDAY // 1000 + 300, 1.25, 1.25, 1.25, 1.25, 1, 1000)


def test_ticks_without_prices_are_in_no_bar() -> None:
    builder = BarBuilder(Timeframe.M1, 5)
    assert builder.add(Tick(WEDNESDAY, 0.0, 0.0)) is None
    assert builder.forming is None
    builder.add(Tick(WEDNESDAY, 1.1, 1.2))
    before = builder.forming
    assert builder.add(Tick(WEDNESDAY + DAY, 0.0, 0.0)) is None
    assert builder.forming == before
