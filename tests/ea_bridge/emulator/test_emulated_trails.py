"""Stops that follow the market, as the EA runs them on every tick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from terminal_bench import EURUSD, Bench

from ea_bridge import commands
from ea_bridge.emulator.trails import RETRY_MS, RunningTrails, better_stop
from ea_bridge.model import (
    OrderFilling,
    OrderType,
    Position,
    SymbolInfo,
    Tick,
    TradeAction,
    TradeRetcode,
    Trail,
    TrailTerms,
)
from ea_bridge.simulation.market import open_market

POINT = 0.00001


@pytest.fixture(scope="module")
def symbol() -> SymbolInfo:
    """EURUSD with a stops level of ten points."""
    found = open_market(start_msc=1_795_003_200_000).symbols()[EURUSD]
    return replace(found, trade_stops_level=10)


def stop(symbol: SymbolInfo, moved: int, *, sl: float = 0.0, short: bool = False, **terms: Any):
    """Return the stop of a position opened at 1.1 after the market moved in its favour by points;
    the spread is 8 points."""
    position = Position(
        ticket=1, type=int(short), volume=0.1, price_open=1.1, sl=sl, symbol=EURUSD
    )
    at = round(1.1 + (-moved if short else moved) * POINT, 5)
    spread = 8 * POINT
    bid, ask = (round(at - spread, 5), at) if short else (at, round(at + spread, 5))
    tick = Tick(time_msc=1, bid=bid, ask=ask)
    return better_stop(Trail(ticket=1, symbol=EURUSD, **terms), position, symbol, tick)


@pytest.mark.parametrize(
    ("moved", "sl", "terms", "expected"),
    [
        (0, 0.0, {"distance": 100}, 1.0990),
        (50, 1.0990, {"distance": 100}, 1.0995),
        (-50, 1.0990, {"distance": 100}, None),
        (0, 1.0990, {"distance": 100}, None),
        # the least move: one point below the step is too little
        (19, 1.0990, {"distance": 100, "step": 20}, None),
        (20, 1.0990, {"distance": 100, "step": 20}, 1.0992),
        # not before the activation
        (99, 0.0, {"distance": 50, "activation": 100}, None),
        (100, 0.0, {"distance": 50, "activation": 100}, 1.1005),
        # break-even: at the profit, once, whatever the step
        (49, 1.0990, {"break_even": 50, "step": 500}, None),
        (50, 1.0990, {"break_even": 50, "step": 500}, 1.1),
        (50, 1.0990, {"break_even": 50, "break_even_offset": 5}, 1.10005),
        (90, 1.1, {"break_even": 50}, None),
        # both: the one that is nearer to the market
        (60, 1.0990, {"distance": 100, "break_even": 50}, 1.1),
        (160, 1.1, {"distance": 100, "break_even": 50}, 1.1006),
        # never nearer than the stops level
        (50, 0.0, {"distance": 10}, 1.1004),
        (50, 0.0, {"distance": 9}, None),
        (50, 0.0, {"break_even": 50, "break_even_offset": 41}, None),
        (50, 0.0, {"break_even": 50, "break_even_offset": 40}, 1.1004),
    ],
)
def test_where_a_stop_belongs(symbol, moved, sl, terms, expected) -> None:
    """Of a long position by the bid, and mirrored of a short one by the ask."""
    assert stop(symbol, moved, sl=sl, **terms) == expected
    mirrored = sl and round(2.2 - sl, 5)
    short = stop(symbol, moved, sl=mirrored, short=True, **terms)
    assert short == (None if expected is None else round(2.2 - expected, 5))


def test_a_stop_lies_on_the_grid_away_from_the_market(symbol: SymbolInfo) -> None:
    """Where a tick is five points, what lies between is moved away from the market."""
    coarse = replace(symbol, trade_tick_size=0.00005)
    assert stop(coarse, 3, distance=100) == 1.099
    assert stop(coarse, 3, distance=100, short=True) == 1.101
    assert stop(coarse, 4, sl=1.099, distance=100) is None


class TrailFixture:
    """A position in an emulated terminal, and ticks that a test makes."""

    def __init__(self, platform: str = "mt5") -> None:
        self.bench = Bench(platform)
        self.handler = self.bench.terminal.handler
        self.broker = self.bench.broker
        done = self.trade(TradeAction.DEAL, OrderType.BUY)
        self.ticket = done.position
        self.opened = self.position().price_open

    def trade(self, action: TradeAction, kind: OrderType, volume: float = 0.1, **more: Any) -> Any:
        """Send a request."""
        return self.bench.result(
            commands.ORDER_SEND,
            action=action,
            symbol=EURUSD,
            volume=volume,
            type=kind,
            type_filling=OrderFilling.IOC,
            **more,
        )

    def position(self) -> Position:
        """The one that is open of ours."""
        return self.broker.positions(ticket=self.ticket)[0]

    def tick(self, points: int) -> None:
        """Let the bid be so far above the opening price, a second later."""
        self.bench.now_msc += 1000
        bid = round(self.opened + points * POINT, 5)
        tick = Tick(time_msc=self.bench.now_msc, bid=bid, ask=round(bid + 8 * POINT, 5))
        self.handler.on_tick(EURUSD, tick)

    def above(self) -> int | None:
        """How far above the opening price the stop is, in points."""
        sl = self.position().sl
        return round((sl - self.opened) / POINT) if sl else None

    def trail(self, **terms: Any) -> Trail:
        """Set the position's trail."""
        trail: Trail = self.bench.result(commands.TRAIL_SET, ticket=self.ticket, **terms)
        assert self.bench.result(commands.TRAILS_GET, ticket=self.ticket) == self.trails()
        return trail

    def trails(self) -> list[Trail]:
        """What is trailed; asked without a command, which would let the market move on."""
        return self.handler.trails.get()


def test_a_stop_follows_the_market_and_never_goes_back() -> None:
    """On every tick, without a daemon; the take profit stays, and the list tells how it fares."""
    fixture = TrailFixture()
    fixture.trade(
        TradeAction.SLTP,
        OrderType.BUY,
        position=fixture.ticket,
        tp=round(fixture.opened + 0.05, 5),
    )
    fixture.trail(distance=100, step=10)
    stops = []
    for points in (0, 50, 55, 20, 300, 230):
        fixture.tick(points)
        stops.append(fixture.above())
    assert stops == [-100, -50, -50, -50, 200, 200]
    assert fixture.position().tp == round(fixture.opened + 0.05, 5)
    [told] = fixture.trails()
    assert (told.moves, told.retcode, told.sl) == (3, 0, fixture.position().sl)


def test_the_position_is_closed_where_the_stop_was_left() -> None:
    """What the trail is for: the market turns, and the stop that followed it is met."""
    fixture = TrailFixture()
    fixture.trail(distance=100)
    for points in (0, 300, 199):
        fixture.tick(points)
    assert fixture.broker.positions(ticket=fixture.ticket) == []
    assert fixture.trails() == []


def test_break_even_alone_moves_once() -> None:
    """Without a distance it goes to the opening price plus the offset, and stays there."""
    fixture = TrailFixture()
    fixture.trail(break_even=50, break_even_offset=5)
    stops = []
    for points in (49, 50, 400):
        fixture.tick(points)
        stops.append(fixture.above())
    assert stops == [None, 5, 5]


def test_a_trail_is_replaced_and_removed() -> None:
    """The newest terms count; none at all end it, and the stop stays where it is."""
    fixture = TrailFixture()
    fixture.trail(distance=400)
    fixture.tick(0)
    fixture.trail(distance=200)
    fixture.tick(0)
    assert (fixture.above(), [one.distance for one in fixture.trails()]) == (-200, [200])
    fixture.trail()
    fixture.tick(300)
    assert (fixture.above(), fixture.trails()) == (-200, [])


def test_no_position_no_trail() -> None:
    """MQL's 4753."""
    bench = Bench()
    [refused] = bench.ask(commands.TRAIL_SET, ticket=7, distance=10)
    assert (refused.ok, refused.err) == (False, 4753)


def test_a_refusal_is_told_and_tried_again_later() -> None:
    """Not on every tick: a broker that is asked so often refuses everything."""
    fixture = TrailFixture()
    fixture.trail(distance=100)
    fixture.broker.script.refusals.extend([TradeRetcode.REJECT, TradeRetcode.REJECT])
    fixture.tick(0)
    assert fixture.trails()[0].retcode == TradeRetcode.REJECT
    fixture.bench.now_msc -= RETRY_MS + 1 - 1000
    fixture.tick(0)
    assert len(fixture.broker.script.refusals) == 1, "asked again before the time"
    fixture.bench.now_msc += RETRY_MS
    fixture.tick(0)
    fixture.tick(10)
    assert (fixture.above(), fixture.trails()[0].retcode) == (-90, 0)


def test_what_is_left_of_a_metatrader_4_trade_is_followed_on() -> None:
    """A partial close gives it another ticket, twice if it happens twice."""
    fixture = TrailFixture("mt4")
    fixture.trail(distance=100)
    for _ in range(2):
        done = fixture.trade(TradeAction.DEAL, OrderType.SELL, 0.03, position=fixture.ticket)
        fixture.ticket = done.position
    fixture.tick(0)
    assert (fixture.above(), [one.ticket for one in fixture.trails()]) == (-100, [fixture.ticket])


def test_trails_outlive_the_terminal(tmp_path: Path) -> None:
    """Its file brings them back; one that cannot be read means that nothing is trailed."""
    fixture, file = TrailFixture(), tmp_path / "trails.json"
    RunningTrails(fixture.broker, file).set(TrailTerms(ticket=fixture.ticket, distance=100))
    again = RunningTrails(fixture.broker, file)
    assert [one.distance for one in again.get()] == [100]
    file.write_bytes(b"{")
    assert RunningTrails(fixture.broker, file).get() == []


def test_what_is_not_listed_for_a_moment_is_not_forgotten(tmp_path: Path) -> None:
    """A terminal that starts, or is logged in elsewhere, lists no positions of ours."""
    fixture, file = TrailFixture(), tmp_path / "trails.json"
    account, is_settled = (1, "A"), False
    trails = RunningTrails(
        fixture.broker, file, account=lambda: account, is_settled=lambda: is_settled
    )
    trails.set(TrailTerms(ticket=fixture.ticket, distance=100))
    listed, fixture.broker.positions = fixture.broker.positions, lambda **_: []  # type: ignore[assignment,method-assign]  # nothing is listed
    assert trails.get() == []
    account, is_settled = (1, "B"), True
    assert trails.get() == []
    fixture.broker.positions = listed  # type: ignore[method-assign]  # as before
    assert trails.get() == []  # a position of B with the same ticket
    account = (1, "A")
    assert [one.distance for one in trails.get()] == [100]
    trails.reload()
    assert [one.distance for one in trails.get()] == [100]
    fixture.broker.positions = lambda **_: []  # type: ignore[assignment,method-assign]  # it is closed
    assert trails.get() == []
    assert file.read_bytes() == b"[]"
