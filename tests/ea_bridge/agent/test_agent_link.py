"""Link of an agent: what it tells, in which order, and what becomes of it without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agent_parts import Bench
from product import until

from ea_bridge.agent import package_thread, terminal
from ea_bridge.agent.terminal import ThreadEnded
from ea_bridge.commands import (
    ACCOUNT_GET,
    LEASE_GET,
    ORDER_SEND,
    POSITIONS_GET,
    SYMBOLS_GET,
    TERMINAL_GET,
    TICKS_GET,
    WATCH,
    TicksParams,
    WatchParams,
)
from ea_bridge.model import Deal, Position, TradeAction, TradeRequest
from ea_bridge.protocol.messages import Hb, Lost, Message, StateEvent, Ticks, Trade

BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, type=0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(tmp_path) as one:
        yield one


def trades(bench: Bench) -> list[Trade]:
    return [event for event in bench.events if isinstance(event, Trade)]


def deals(bench: Bench) -> list[Deal]:
    return [event.deal for event in trades(bench) if isinstance(event.deal, Deal)]


def removed(bench: Bench) -> list[Trade]:
    return [
        event
        for event in trades(bench)
        if event.op == "remove" and isinstance(event.position, Position)
    ]


async def test_switches_are_told_in_the_order_in_which_they_were_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats, events and the looks that a trade makes come from one row of snapshots: the
    daemon's flags change as often as the switch was turned, and never go back."""
    session = await bench.live()
    link = bench.link._conversation
    assert link is not None
    told: list[bool | None] = []
    say = link.say

    def listen(*messages: Message) -> None:
        told.extend(m.autotrading for m in messages if isinstance(m, (Hb, StateEvent)))
        say(*messages)
        link._beat(0)  # a heartbeat at the worst of moments: after each thing that is told

    monkeypatch.setattr(link, "say", lambda *m: say(*m) if isinstance(m[0], Hb) else listen(*m))
    bench.flags.clear()
    turns = [False, True] * 6
    for is_on in turns:
        bench.machine.handler.broker.switches.autotrading = is_on
        asked = [bench.ask(c) for c in (TERMINAL_GET, ACCOUNT_GET)]
        await asyncio.gather(bench.ask(ORDER_SEND, BUY), *asked)
        await until(lambda is_on=is_on: session.autotrading is is_on)  # type: ignore[misc]
    assert [flags[1] for flags in bench.flags] == turns
    events = [event.autotrading for event in bench.events if isinstance(event, StateEvent)]
    assert events == turns
    assert session.state.value == "ready"


async def test_a_call_that_hangs_is_told_by_silence_and_hangs_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent tells no more heartbeats, and ends within its bound."""
    monkeypatch.setattr(terminal, "HELD_S", 0.0)
    hold = bench.hold("symbols_get")
    question = asyncio.create_task(bench.ask(SYMBOLS_GET))
    await hold.begun()
    assert bench.terminal.heartbeat(1, 0) is None
    await bench.stop()
    await asyncio.gather(question, return_exceptions=True)
    hold.release()


async def test_a_terminal_that_goes_and_comes_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it there is no link; what it did meanwhile is not known, so its boot is another."""
    monkeypatch.setattr(package_thread, "CONNECT_FIRST_S", 0.01)
    session = await bench.live()
    bench.package.is_there = False
    await until(lambda: bool(session.end_reason))
    assert "shutdown" in session.end_reason
    nonsense = iter([object(), object()])

    def say_nonsense(name: str, result: object) -> object:
        return next(nonsense, result) if name == "account_info" else result

    bench.package.after = say_nonsense  # as a terminal that is just starting may
    bench.package.is_there = True
    fresh = await bench.live(but_not=session)
    assert fresh.hello.boot != session.hello.boot
    assert fresh.hello.fp == session.hello.fp
    await bench.ask(LEASE_GET)


async def test_an_agent_without_its_thread_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that its supervisor starts it again; a process that does nothing would stay."""

    def fail() -> None:
        raise ValueError("planned")

    session = await bench.live()
    monkeypatch.setattr(bench.terminal._thread._streams, "silence", fail)
    monkeypatch.setattr(bench.package, "shutdown", fail)
    bench.package.is_there = False
    await until(lambda: bool(session.end_reason))
    with pytest.raises(ThreadEnded):
        await bench.link.run()


async def test_a_fill_without_a_link_is_told_on_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are counted, and kept until the daemon has them."""
    session, opens = await bench.live(), asyncio.Event()
    monkeypatch.setattr(bench.terminal, "available", opens.wait)
    bench.link.cut()
    await until(lambda: bool(session.end_reason))
    # in the thread that has the terminal, as everything that touches it
    bench.terminal._thread.submit(lambda: bench.machine.handler.send(BUY))
    await until(lambda: any(isinstance(e, Trade) for e in bench.terminal._unacknowledged))
    assert deals(bench) == []
    opens.set()
    fresh = await bench.live(but_not=session)
    assert fresh.hello.boot == session.hello.boot
    await until(lambda: len(deals(bench)) == 1)
    await until(lambda: not bench.terminal._unacknowledged)
    told = [event.q for event in trades(bench)]
    assert told == sorted(set(told))


async def test_a_look_that_fails_tells_of_no_departures(bench: Bench) -> None:
    """Positions that could not be read, or that a terminal without its broker does not show, are
    not gone."""
    opened = await bench.ask(ORDER_SEND, BUY)
    await until(lambda: opened.deal in [deal.ticket for deal in deals(bench)])
    package, looks = bench.package, 0

    def fail(name: str, result: object) -> object:
        nonlocal looks
        if name != "positions_get":
            return result
        looks += 1
        package.fail(-1)
        return None if looks < 3 else ()

    bench.machine.handler.broker.switches.connected = False
    session = await bench.live()
    await until(lambda: session.broker is False)
    package.after = fail
    await until(lambda: looks > 6)
    package.after = lambda name, result: result
    bench.machine.handler.broker.switches.connected = True
    await until(lambda: session.broker is True)
    another = await bench.ask(ORDER_SEND, BUY)
    await until(lambda: another.deal in [deal.ticket for deal in deals(bench)])
    assert removed(bench) == []
    assert len(await bench.ask(POSITIONS_GET)) >= 2


async def test_ticks_go_on_where_the_daemon_has_them(tmp_path: Path) -> None:
    """By the cursor of ``watch``: across a cut, each tick comes once, and none is missed."""
    async with Bench(tmp_path, speed=20.0) as bench:
        session = await bench.live()
        await bench.ask(WATCH, WatchParams(symbol="EURUSD", ticks=True))
        rows: list[tuple[int, str, str]] = []

        def take() -> int:
            frames = [event for event in bench.events if isinstance(event, Ticks)]
            rows[:] = [(row[1], row[2], row[3]) for frame in frames for row in frame.d]
            return len(rows)

        await until(lambda: take() > 20)
        bench.link.cut()
        await bench.live(but_not=session)
        take()
        last_msc = rows[-1][0]
        same = sum(row[0] == last_msc for row in rows)
        cursor = WatchParams(symbol="EURUSD", ticks=True, last_msc=last_msc, n_same_msc=same)
        await bench.ask(WATCH, cursor)
        before = len(rows)
        await until(lambda: take() > before + 20)
        end = rows[-1][0]
        span = TicksParams(symbol="EURUSD", from_msc=rows[0][0], to_msc=end - 1)
        history = (await bench.ask(TICKS_GET, span)).rows
        come = [(time_msc, float(bid)) for time_msc, bid, _ in rows if time_msc < end]
        assert come == [(tick.time_msc, tick.bid) for tick in history]
        assert not any(isinstance(event, Lost) for event in bench.events)
