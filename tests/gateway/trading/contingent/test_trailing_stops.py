"""Trails: what loosens a stop, and the order in which the terminal is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_answers import POSITION
from scripted_terminal import Scene

from ea_bridge.errors import CommandFailed
from ea_bridge.model import Trail, TrailTerms
from gateway import errors
from gateway.credentials.lease import Tier
from gateway.trading.contingent import trailing_stops

TICKET = POSITION.ticket
NO_POSITION = 4753
"""MQL's ERR_TRADE_POSITION_NOT_FOUND."""
MOST = 12
"""Points, for numbers that a test can go through one by one."""
POINTS = st.integers(0, MOST)


def running(**numbers: int) -> Trail:
    """A trail that runs at the terminal."""
    return Trail(ticket=TICKET, symbol="EURUSD", **numbers)


def level(terms: Trail | TrailTerms, profit: int) -> float:
    """Where a stop stands once the profit was so many points, counted from the opening price."""
    levels = [float("-inf")]
    if terms.distance and profit >= terms.activation:
        levels.append(profit - terms.distance)
    if terms.break_even and profit >= terms.break_even:
        levels.append(terms.break_even_offset)
    return max(levels)


@given(*[POINTS] * 8)
def test_what_does_not_loosen_leaves_no_stop_farther_away(
    distance: int, activation: int, even: int, offset: int, d: int, a: int, e: int, o: int
) -> None:
    """However far the market went: the stop is where it was, or nearer."""
    present = running(
        distance=distance, activation=activation, break_even=even, break_even_offset=offset
    )
    wanted = TrailTerms(ticket=TICKET, distance=d, activation=a, break_even=e, break_even_offset=o)
    if not trailing_stops._loosens(present, wanted):
        assert all(level(wanted, profit) >= level(present, profit) for profit in range(3 * MOST))


@given(st.integers(1, MOST), POINTS, st.integers(1, MOST), POINTS)
def test_a_distance_that_loosens_shows_at_some_profit(
    distance: int, activation: int, d: int, a: int
) -> None:
    """Who may only reduce is refused nothing that leaves the stop as near at every profit."""
    present = running(distance=distance, activation=activation)
    wanted = TrailTerms(ticket=TICKET, distance=d, activation=a)
    if trailing_stops._loosens(present, wanted):
        assert any(level(wanted, profit) < level(present, profit) for profit in range(3 * MOST))


def test_a_larger_step_loosens() -> None:
    """The stop would stay behind for so many points more; without a trail there is none."""
    assert trailing_stops._loosens(
        running(distance=9, step=1), TrailTerms(ticket=TICKET, distance=9, step=2)
    )
    assert not trailing_stops._loosens(
        running(break_even=9), TrailTerms(ticket=TICKET, distance=9, step=2, break_even=9)
    )


async def test_ending_a_trail_whose_position_is_gone_is_no_error(scene: Scene) -> None:
    """The position may be closed between the question and the instruction."""
    scene.script.answers |= {
        "trails_get": [running(distance=9)],
        "trail_set": CommandFailed("trail_set", NO_POSITION),
    }
    assert await trailing_stops.end(scene.guarded, TICKET) is None
    assert scene.script.ops() == ["trails_get", "trail_set"]


async def test_nothing_is_asked_for_who_may_only_read(scene: Scene) -> None:
    """The rights are looked at before the terminal is."""
    scene.tier = Tier.READ
    with pytest.raises(errors.Forbidden) as refused:
        await trailing_stops.begin(scene.guarded, TrailTerms(ticket=TICKET, distance=100))
    assert refused.value.data["outcome"] == "not_sent"
    with pytest.raises(errors.Forbidden):
        await trailing_stops.end(scene.guarded, TICKET)
    assert scene.script.asked == []


async def test_what_runs_is_told_by_symbol_and_ticket(scene: Scene) -> None:
    """The terminal chooses, so that a long list does not cross the wire."""
    scene.script.answers["trails_get"] = [running(distance=9)]
    [found] = await trailing_stops.running(scene.guarded, "EURUSD", TICKET)
    assert found.distance == 9
    [params] = scene.script.asked_for("trails_get")
    assert (params.symbol, params.ticket) == ("EURUSD", TICKET)
