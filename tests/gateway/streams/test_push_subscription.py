"""What the terminal is told to push: the sum of all subscriptions, and no more."""

from __future__ import annotations

import asyncio
import random

import pytest
from stage import Ear, Stage, turns, until

from gateway.errors import SubscribeFailed
from gateway.streams.context import MAX_QUERIES


def parts(stage: Stage, symbol: str) -> tuple[bool, bool, str]:
    """What the terminal was last told to push of a symbol."""
    last = [watch for watch in stage.terminal.watches if watch.symbol == symbol][-1]
    return last.ticks, last.book, last.bars


async def test_the_terminal_pushes_the_union_and_stops_with_the_last(
    live: Stage, ear: Ear
) -> None:
    """Two subscribers of one symbol: one command each time the sum changes."""
    other = live.ear(by_header=False)
    await live.subscribe(ear, "tick:EURUSD", "bar.M1:EURUSD")
    await live.subscribe(other, "tick.100ms:EURUSD", "bar.H1:EURUSD")
    assert parts(live, "EURUSD") == (True, False, "1,16385")
    assert len(live.terminal.watches) == 2
    live.streams.unsubscribe(live.caller, ear, ["tick:EURUSD"])
    await turns()
    assert len(live.terminal.watches) == 2
    live.streams.unsubscribe(live.caller, ear, None)
    await turns()
    assert parts(live, "EURUSD") == (True, False, "16385")
    live.streams.detach(other)
    await turns()
    assert parts(live, "EURUSD") == (False, False, "")


async def test_one_call_makes_one_command_a_symbol(live: Stage, ear: Ear) -> None:
    """Ticks, book and bars of a symbol in one call go to the terminal together."""
    channels = [f"{c}:{s}" for s in ("EURUSD", "GBPUSD") for c in ("tick", "tick.all", "bar.M1")]
    await live.subscribe(ear, *channels)
    assert [watch.symbol for watch in live.terminal.watches] == ["EURUSD", "GBPUSD"]


async def test_changes_while_a_command_is_on_its_way_go_out_with_the_next(
    live: Stage, ear: Ear
) -> None:
    """Never two commands for a symbol at a time; the last one says what is wanted."""
    terminal = live.terminal
    terminal.hold = True
    first = asyncio.ensure_future(live.subscribe(ear, "tick:EURUSD"))
    await until(lambda: terminal.held)
    others = [
        asyncio.ensure_future(live.subscribe(ear, f"bar.{name}:EURUSD"))
        for name in ("M1", "M5", "H1")
    ]
    await turns()
    assert len(terminal.held) == 1
    terminal.hold = False
    terminal.release()
    await asyncio.gather(first, *others)
    assert parts(live, "EURUSD") == (True, False, "1,5,16385")
    assert len(terminal.watches) == 2


async def test_unsubscribing_while_subscribing_ends_with_what_is_wanted(
    live: Stage, ear: Ear
) -> None:
    """Whatever the order of concurrent calls, the terminal pushes what subscriptions say."""
    rng = random.Random(7)  # noqa: S311 - chooses steps, guards nothing
    other = live.ear(by_header=False)
    calls: list[asyncio.Future[object]] = []
    for _ in range(60):
        who = rng.choice([ear, other])
        channel = rng.choice(["tick:EURUSD", "book:EURUSD", "bar.M1:EURUSD"])
        if rng.random() < 0.5:
            calls.append(asyncio.ensure_future(live.subscribe(who, channel)))
        else:
            live.streams.unsubscribe(live.caller, who, [channel])
        await turns(rng.randrange(4))
    await asyncio.gather(*calls, return_exceptions=True)
    await turns()
    wanted = {
        entry["channel"].partition(":")[0]
        for who in (ear, other)
        for entry in live.streams.subscriptions(live.caller, who)["subscriptions"]
    }
    bars = "1" if "bar.M1" in wanted else ""
    assert parts(live, "EURUSD") == ("tick" in wanted, "book" in wanted, bars)
    live.streams.detach(ear)
    live.streams.detach(other)
    await turns()
    assert parts(live, "EURUSD") == (False, False, "")


async def test_a_new_beginning_has_no_ticks_of_the_old(live: Stage, ear: Ear) -> None:
    """Resubscribing while the terminal is being told to stop: a new epoch without a hole."""
    terminal = live.terminal
    await live.subscribe(ear, "tick.all:EURUSD", "book:EURUSD")
    terminal.tick("EURUSD", 1)
    terminal.pump()
    await turns()
    before = ear.of("tick.all:EURUSD")[-1]
    ear.clear()
    live.streams.unsubscribe(live.caller, ear, ["tick.all:EURUSD"])
    terminal.hold = True
    await until(lambda: terminal.held)
    call = asyncio.ensure_future(live.subscribe(ear, "tick.all:EURUSD"))
    await turns()
    terminal.tick("EURUSD", 2)
    terminal.pump()
    terminal.hold = False
    terminal.release()
    await call
    terminal.tick("EURUSD", 3, 4)
    terminal.pump()
    await turns()
    events = ear.of("tick.all:EURUSD")
    assert [e["seq"] for e in events] == [1, 2]
    assert [e["data"]["broker_time"] % 1000 for e in events] == [3, 4]
    assert events[0]["epoch"] != before["epoch"]


async def test_ticks_that_come_after_their_end_leave_no_cursor(live: Stage, ear: Ear) -> None:
    """Released while another command is on its way: what still comes begins nothing."""
    terminal = live.terminal
    await live.subscribe(ear, "tick.all:EURUSD", "book:EURUSD")
    terminal.hold = True
    call = asyncio.ensure_future(live.subscribe(ear, "bar.M1:EURUSD"))
    await until(lambda: terminal.held)
    live.streams.unsubscribe(live.caller, ear, ["tick.all:EURUSD"])
    terminal.tick("EURUSD", 1)
    terminal.release()
    await until(lambda: terminal.held)
    terminal.pump()
    terminal.hold = False
    terminal.release()
    await call
    await live.subscribe(ear, "tick.all:EURUSD")
    last = terminal.watches[-1]
    assert (last.ticks, last.last_msc) == (True, 0)


async def test_an_answer_of_an_old_link_says_nothing_of_the_new(live: Stage, ear: Ear) -> None:
    """The link is replaced between the answer and its reading: the new one is told again."""
    terminal = live.terminal
    terminal.hold = True
    call = asyncio.ensure_future(live.subscribe(ear, "tick.all:EURUSD"))
    await until(lambda: terminal.held)
    terminal.hold = False
    terminal.release()
    terminal.disconnect()
    terminal.connect()
    await call
    await turns()
    terminal.tick("EURUSD", 1)
    terminal.pump()
    await turns()
    assert len(ear.of("tick.all:EURUSD", "update")) == 1


async def test_a_command_without_an_answer_is_said_again() -> None:
    """It may have been carried out: what nobody wants any more is switched off to be sure."""
    stage = Stage(timeout_s=0.01)
    stage.terminal.mute = {"watch"}
    stage.terminal.connect()
    with pytest.raises(SubscribeFailed):
        await stage.subscribe(stage.ear(), "tick:EURUSD")
    await until(lambda: stage.terminal.asked.count("watch") == 2)
    stage.streams.close()


async def test_many_symbols_leave_room_for_callers(live: Stage, ear: Ear) -> None:
    """Streams keep at most a few commands in flight, whatever is subscribed at once."""
    terminal = live.terminal
    terminal.symbols |= {f"S{n}": type(terminal.symbols["GBPUSD"])() for n in range(40)}
    terminal.hold = True
    call = asyncio.ensure_future(live.subscribe(ear, *(f"tick:S{n}" for n in range(40))))
    await turns()
    assert len(terminal.held) == MAX_QUERIES
    terminal.hold = False
    terminal.release()
    result = await call
    assert len(result["subscribed"]) == 40
