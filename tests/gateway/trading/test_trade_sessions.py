"""When a symbol trades."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_answers import NOW_MS, OFFSET_MS
from scripted_terminal import Scene

from ea_bridge.errors import CommandFailed
from ea_bridge.model import DayOfWeek, TradeSession
from gateway.broker_time.clock import BrokerClock
from gateway.errors import MarketClosed, MethodNotSupported, RiskLimit
from gateway.trading.trade_sessions import Week, is_closed, opening

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SUNDAY_MS = 20_604 * DAY_MS
"""Midnight before Sunday, 2026-05-31."""
FX = [
    TradeSession(day=day, from_s=0, to_s=86_400 if day < DayOfWeek.FRIDAY else 86_220)
    for day in range(DayOfWeek.MONDAY, DayOfWeek.SATURDAY)
]
LUNCH = [
    TradeSession(day=1, from_s=32_400, to_s=43_200),
    TradeSession(day=1, from_s=46_800, to_s=61_200),
]
NEVER: list[TradeSession] = []
ALWAYS = [TradeSession(day=day, from_s=0, to_s=86_400) for day in range(7)]
NIGHT = [TradeSession(day=6, from_s=79_200, to_s=86_400), TradeSession(day=0, from_s=0, to_s=7200)]


def at(day: int, hour: float) -> int:
    """A moment of that week, in broker milliseconds."""
    return SUNDAY_MS + day * DAY_MS + round(hour * HOUR_MS)


@pytest.mark.parametrize(
    ("table", "moment", "opens", "closes"),
    [
        (FX, at(0, 12), at(1, 0), None),
        (FX, at(1, 0) - 1, at(1, 0), None),
        (FX, at(1, 0), at(1, 0), at(5, 23.95)),
        (FX, at(3, 0), at(3, 0), at(5, 23.95)),
        (FX, at(5, 23.95) - 1, at(5, 23.95) - 1, at(5, 23.95)),
        (FX, at(5, 23.95), at(8, 0), None),
        (LUNCH, at(1, 9) - 1, at(1, 9), None),
        (LUNCH, at(1, 12) - 1, at(1, 12) - 1, at(1, 12)),
        (LUNCH, at(1, 12), at(1, 13), None),
        (LUNCH, at(1, 17), at(8, 9), None),
        (NIGHT, at(6, 23), at(6, 23), at(7, 2)),
        (NIGHT, at(7, 1), at(7, 1), at(7, 2)),
        (NIGHT, at(7, 2), at(13, 22), None),
        (ALWAYS, at(4, 4), at(4, 4), None),
        (NEVER, at(4, 4), None, None),
    ],
)
def test_the_week(
    table: list[TradeSession], moment: int, opens: int | None, closes: int | None
) -> None:
    """Starts are inclusive and ends exclusive; sessions that touch are one."""
    week = Week.of(table)
    assert week.is_open(moment) == (opens == moment)
    assert week.next_open(moment) == opens
    assert week.next_close(moment) == closes


def measured(utc_ms: int) -> BrokerClock:
    """A clock that has heard fresh quotes, three hours ahead of UTC."""
    clock = BrokerClock()
    for second in range(5):
        at_s = utc_ms // 1000 - 5 + second
        clock.observe(at_s + OFFSET_MS // 1000, at_s)
    return clock


def test_a_market_is_closed_by_a_measured_clock() -> None:
    """To the millisecond."""
    friday_ms = at(5, 23.95) - OFFSET_MS
    clock, week = measured(friday_ms), Week.of(FX)
    assert not is_closed(week, clock, friday_ms - 1)
    assert is_closed(week, clock, friday_ms)
    assert opening(week, clock, friday_ms) == at(8, 0) - OFFSET_MS
    assert opening(week, clock, friday_ms - 1) is None


@pytest.mark.parametrize(
    ("moment", "closed"),
    [(at(5, 23.95), False), (at(6, 2.9), False), (at(6, 3), True), (at(7, 21), False)],
)
def test_a_clock_that_is_a_guess_closes_no_market_at_its_edges(moment: int, closed: bool) -> None:
    """Without quotes nobody has measured the offset: only what is closed for hours is closed."""
    guessed_ms = moment - OFFSET_MS
    assert is_closed(Week.of(FX), BrokerClock(), guessed_ms) is closed


def test_the_clock_of_a_machine_that_lives_in_another_time() -> None:
    """Sessions go by the clock of the terminal's machine."""
    clock = measured(at(3, 12))
    clock.compare(at(6, 12) // 1000, at(3, 12))
    assert is_closed(Week.of(FX), clock, at(3, 12))
    clock.compare(at(3, 12) // 1000 + 4, at(3, 12))
    assert not is_closed(Week.of(FX), clock, at(3, 12)), "seconds are the way of a heartbeat"


async def test_get_sessions(scene: Scene) -> None:
    """The table, and when it opens and closes next in UTC."""
    told = await scene.ask("get_sessions", symbol="EURUSD")
    assert told["open"] is True
    assert told["opens_at"] is None
    friday_ms = (NOW_MS + OFFSET_MS) // DAY_MS * DAY_MS + DAY_MS
    assert told["closes_at"] == friday_ms + 86_220_000 - OFFSET_MS
    assert told["sessions"][-1] == {"day": "friday", "from_s": 0, "to_s": 86_220}


async def test_a_terminal_that_cannot_tell(mt4: Scene) -> None:
    """An older EA: the method says so, and orders are left to the broker."""
    with pytest.raises(MethodNotSupported):
        await mt4.ask("get_sessions", symbol="EURUSD")
    await mt4.ask("place_order", symbol="EURUSD", side="buy", volume=0.1)
    assert "sessions_get" not in mt4.script.ops()


async def test_a_table_is_asked_for_again_in_time(scene: Scene) -> None:
    """It is believed for a quarter of an hour."""
    tables = scene.state.risk.sessions
    now_s = tables.monotonic_s()
    order: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
    for passed_s, asked in ((0, 1), (899, 1), (901, 2)):
        tables.monotonic_s = lambda passed_s=passed_s: now_s + passed_s  # type: ignore[misc]  # bound to the loop's value
        await scene.ask("place_order", **order)
        assert len(scene.script.asked_for("sessions_get")) == asked


async def test_a_table_that_cannot_be_had_refuses(scene: Scene) -> None:
    """Nothing is sent while nobody knows whether the market is open."""
    scene.script.answers["sessions_get"] = CommandFailed("sessions_get", 4024)
    with pytest.raises(Exception, match="Experts log") as failed:
        await scene.ask("place_order", symbol="EURUSD", side="buy", volume=0.1)
    assert failed.value.data["outcome"] == "not_sent"  # type: ignore[attr-defined]  # a GatewayError
    assert not scene.script.sent


async def test_closing_needs_no_table(scene: Scene) -> None:
    """Nobody stays in a position because of a table."""
    scene.script.answers["sessions_get"] = CommandFailed("sessions_get", 4024)
    await scene.ask("close_position", ticket=9123456789)
    scene.script.answers["order_send"] = CommandFailed("order_send", 4756, 10018)
    with pytest.raises(MarketClosed) as closed:
        await scene.ask("close_position", ticket=9123456789)
    assert closed.value.data["opens_at"] is None


async def test_a_refusal_of_the_broker_tells_the_opening_too(scene: Scene) -> None:
    """A holiday: the table says open, the broker says closed; then nobody knows when."""
    scene.script.answers["order_send"] = CommandFailed("order_send", 4756, 10018)
    with pytest.raises(MarketClosed) as closed:
        await scene.ask("place_order", symbol="EURUSD", side="buy", volume=0.1)
    assert closed.value.data["opens_at"] is None
    assert not isinstance(closed.value, RiskLimit)
