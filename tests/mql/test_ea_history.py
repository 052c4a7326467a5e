"""What the EA says of a history that its terminal does not have whole, or has to wait for."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from linked_ea import NOW_MSC, TIMEOUT_S, Compile, FastTimers, LinkedEa, plain_config

from ea_bridge.commands import (
    ORDER_SEND,
    POSITIONS_GET,
    RATES_GET,
    TICKS_GET,
    TOO_LATE,
    WATCH,
    FilterParams,
    RatesParams,
    TicksParams,
    WatchParams,
)
from ea_bridge.errors import CommandFailed, CommandTimeout, OutcomeUnknown
from ea_bridge.model import TradeAction, TradeRequest
from ea_bridge.protocol.messages import BarEvent, Event, StateEvent, Ticks
from ea_bridge.session import DEAD_S, LateResult, SessionState, TerminalSession

BOTH = pytest.mark.parametrize("platform", ["mt5", "mt4"])
BARS = 60
TICKS = 40
SPEED = 20.0
HELD_S = 30.0
"""Twice as long as a link lives without a word."""
FOR_GOOD = 10**6
BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, price=2.0)
M1_NOW_S = NOW_MSC // 60_000 * 60


def config_with_past(folder: Path, bars: int = BARS, **terminal: Any) -> dict[str, Any]:
    """A terminal whose EURUSD has bars and ticks."""
    config = plain_config(folder)
    config["terminal"] |= terminal
    listing = next(one for one in config["symbols"] if one["info"]["name"] == "EURUSD")
    listing["bars"] = {
        "1": [[M1_NOW_S - 60 * n, 1.1, 1.2, 1.0, 1.1, 5, 1, 0] for n in range(bars)][::-1]
    }
    listing["ticks"] = [[NOW_MSC - TICKS + n, 1.1, 1.2, 0, n, 6] for n in range(1, TICKS + 1)]
    return config


def last(count: int, start: int = 0) -> RatesParams:
    """The newest bars."""
    return RatesParams(symbol="EURUSD", timeframe=1, start=start, count=count)


def since(bars: int) -> RatesParams:
    """A span that reaches so many bars back."""
    return RatesParams(
        symbol="EURUSD", timeframe=1, from_s=M1_NOW_S - 60 * (bars - 1), to_s=M1_NOW_S + 3600
    )


@BOTH
async def test_bars_that_are_still_loaded_are_waited_for_and_then_told_as_missing(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """What comes within a fifth of a second is told whole; what does not is marked."""
    async with LinkedEa(compile_ea(platform), config_with_past(tmp_path)) as ea:
        await ea.live()
        for params in (last(BARS), since(BARS)):
            await ea.terminal.quirk(rates_part=3)
            whole = await ea.ask(RATES_GET, params)
            assert (len(whole.rows), whole.missing) == (BARS, "")
            await ea.terminal.quirk(rates_part=FOR_GOOD)
            part = await ea.ask(RATES_GET, params)
            assert (len(part.rows), part.missing) == (BARS // 2, "loading")
            await ea.terminal.quirk(rates_part=0)
        more = await ea.ask(RATES_GET, last(10 * BARS))
        assert (len(more.rows), more.missing) == (BARS, ""), "the broker has no more"


@BOTH
async def test_bars_beyond_the_terminals_limit_are_told_as_missing(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """It gives none at all when asked for more than it keeps: so it is asked for what it keeps."""
    kept = 20
    async with LinkedEa(compile_ea(platform), config_with_past(tmp_path, maxbars=kept)) as ea:
        for params, count, missing in (
            (last(5), 5, ""),
            (last(kept), kept, ""),
            (last(kept + 1), kept, "max_bars"),
            (last(5, start=kept - 2), 2, "max_bars"),
            (last(5, start=kept + 2), 0, "max_bars"),
            (since(kept), kept, ""),
            (since(BARS), kept, "max_bars"),
        ):
            answer = await ea.ask(RATES_GET, params)
            assert (len(answer.rows), answer.missing) == (count, missing), params


async def test_ticks_that_came_with_an_error_are_told_as_missing(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """``CopyTicks`` gives what it has after 45 s, and says so by its error alone."""
    async with LinkedEa(compile_ea("mt5"), config_with_past(tmp_path)) as ea:
        await ea.live()
        params = TicksParams(symbol="EURUSD", from_msc=NOW_MSC - TICKS)
        await ea.terminal.quirk(ticks_part=1)
        part = await ea.ask(TICKS_GET, params)
        assert (len(part.rows), part.missing) == (TICKS // 2, "loading")
        whole = await ea.ask(TICKS_GET, params)
        assert (len(whole.rows), whole.missing) == (TICKS, "")


class Told:
    """What an EA tells."""

    def __init__(self) -> None:
        self.ticks: list[int] = []
        self.states: list[bool | None] = []
        self.closed: list[int] = []
        self.forming: list[int] = []
        self.late: list[LateResult] = []
        self._news = asyncio.Event()

    def event(self, session: TerminalSession, event: Event) -> None:
        if isinstance(event, Ticks):
            self.ticks += [row[5] for row in event.d]
        elif isinstance(event, StateEvent):
            self.states.append(event.broker)
        elif isinstance(event, BarEvent):
            (self.closed if event.closed else self.forming).append(event.d.time)
        self._news.set()

    def late_result(self, session: TerminalSession, late: LateResult) -> None:
        self.late.append(late)
        self._news.set()

    async def some(self, member: str, count: int = 1) -> list[Any]:
        """Wait until so many were told; return them all."""
        told: list[Any] = getattr(self, member)
        async with asyncio.timeout(TIMEOUT_S):
            while len(told) < count:
                self._news.clear()
                await self._news.wait()
        return told

    async def until(self, member: str, *wanted: Any) -> None:
        """Wait until just these were told."""
        assert await self.some(member, len(wanted)) == list(wanted)


async def test_a_pushed_tick_is_not_passed_by_while_its_history_is_loaded(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """Half of what is new comes with an error: the rest may be older, so nothing is told yet."""
    told = Told()
    async with LinkedEa(compile_ea("mt5"), config_with_past(tmp_path), on_event=told.event) as ea:
        await ea.ask(WATCH, WatchParams(symbol="EURUSD", ticks=True))
        await ea.terminal.quirk(ticks_part=2)
        rows = [["EURUSD", NOW_MSC + n, 1.1, 1.2, 0, 1000 + n, 6] for n in range(1, 5)]
        await ea.terminal.do("ticks", rows=rows)
        await told.until("ticks", 1001, 1002, 1003, 1004)


@BOTH
async def test_the_end_of_a_bar_is_told_when_the_terminal_has_it(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """After a stall the newest bars may be there before those between."""
    told = Told()
    config = config_with_past(tmp_path, bars=1)
    async with LinkedEa(compile_ea(platform), config, on_event=told.event) as ea:
        await ea.ask(WATCH, WatchParams(symbol="EURUSD", bars="1"))
        await told.until("forming", M1_NOW_S)
        await ea.terminal.quirk(rates_part=8)
        stamps = [(M1_NOW_S + 60 * n) * 1000 for n in range(1, 4)]
        rows = [["EURUSD", stamp, 1.1, 1.2, 0, 1, 6] for stamp in stamps]
        await ea.terminal.do("ticks", rows=rows)
        await told.until("closed", *(M1_NOW_S + 60 * n for n in range(3)))


def slow_ea(program: Path, folder: Path, told: Told) -> LinkedEa:
    """An EA and a daemon whose clocks run fast: half a minute is not long."""
    config = {**config_with_past(folder), "speed": SPEED}
    return LinkedEa(
        program,
        config,
        on_event=told.event,
        on_late_result=told.late_result,
        timers=partial(FastTimers, speed=SPEED),
    )


async def held_up(ea: LinkedEa) -> None:
    """Let the next ``CopyTicks`` take longer than a silent link lives."""
    assert HELD_S > DEAD_S + 5
    await ea.terminal.quirk(ticks_block_ms=HELD_S / SPEED * 1000)


async def test_a_history_that_holds_the_ea_up_costs_no_link_and_no_late_order(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """The EA says beforehand that it will be silent. An order that arrives meanwhile is not
    carried out after its time, a question that nobody waits for is not answered with another
    wait, and what comes then finds the same link.
    """
    told = Told()
    async with slow_ea(compile_ea("mt5"), tmp_path, told) as ea:
        session = await ea.live()
        await held_up(ea)
        asked = TicksParams(symbol="EURUSD", from_msc=NOW_MSC - TICKS)
        loading = asyncio.create_task(ea.ask(TICKS_GET, asked, timeout_s=50))
        behind = asyncio.create_task(ea.ask(TICKS_GET, asked, timeout_s=5))
        await asyncio.wait({loading, behind}, timeout=0.1)
        with pytest.raises(OutcomeUnknown) as unknown:
            await ea.ask(ORDER_SEND, BUY, timeout_s=10)
        assert not unknown.value.acked
        with pytest.raises(CommandTimeout) as late:
            await behind
        assert late.value.busy
        assert session.state is SessionState.STALE
        answer = await loading
        assert (len(answer.rows), answer.missing) == (TICKS, "")
        [refused] = await told.some("late")
        assert isinstance(refused.error, CommandFailed)
        assert refused.error.err == TOO_LATE
        assert await ea.ask(POSITIONS_GET, FilterParams()) == []
        assert ea.session is session
        assert (await ea.terminal.do("calls"))["CopyTicks"] == 1


@pytest.mark.parametrize("begins", [True, False], ids=["at the watch", "at the first tick"])
async def test_ticks_that_hold_the_ea_up_cost_no_link(
    begins: bool, tmp_path: Path, compile_ea: Compile
) -> None:
    """As at the first touch of a symbol, or after the broker was away."""
    told = Told()
    async with slow_ea(compile_ea("mt5"), tmp_path, told) as ea:
        session = await ea.live()
        if begins:
            await held_up(ea)
        watch = WatchParams(symbol="EURUSD", ticks=True)
        await ea.ask(WATCH, watch, timeout_s=50)
        if not begins:
            await ea.terminal.switch(connected=False)
            await told.some("states")
            await held_up(ea)
            await ea.terminal.switch(connected=True)
        row = ["EURUSD", NOW_MSC + 1, 1.1, 1.2, 0, 1001, 6]
        await ea.terminal.do("ticks", rows=[row])
        await told.until("ticks", 1001)
        assert ea.session is session
