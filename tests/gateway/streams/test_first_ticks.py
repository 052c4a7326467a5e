"""The first ticks after ``tick.all`` was subscribed to, however early they come."""

from __future__ import annotations

import asyncio

import pytest
from stage import Ear, Stage, turns, until

from gateway.errors import SubscribeFailed


def stamps(ear: Ear) -> list[tuple[int, float]]:
    """Number and bid of each tick that was heard."""
    return [(event["seq"], event["data"]["bid"]) for event in ear.of("tick.all:EURUSD", "update")]


@pytest.mark.parametrize("together", [True, False], ids=["same data", "same turn"])
async def test_they_may_come_with_the_terminal_s_answer(
    live: Stage, ear: Ear, together: bool
) -> None:
    """The subscription counts from when it was asked for: its number says so."""
    terminal = live.terminal
    terminal.hold = True
    asking = asyncio.ensure_future(live.subscribe(ear, "tick.all:EURUSD"))
    await until(lambda: terminal.held)
    answers = [terminal.answer(cmd) for cmd in terminal.held]
    terminal.tick("EURUSD", 1, 2)
    ticks = terminal.ticks()
    if together:
        terminal.say(*answers, ticks)
    else:
        terminal.say(*answers)
        terminal.say(ticks)
    terminal.hold = False
    answer = await asking
    assert answer["subscribed"][0]["seq"] == 0
    assert ear.log[0] == "answer"
    terminal.tick("EURUSD", 3)
    terminal.pump()
    await turns()
    assert stamps(ear) == [(1, 1.08), (2, 1.08001), (3, 1.08002)]


async def test_a_second_listener_hears_from_where_it_came_in(live: Stage, ear: Ear) -> None:
    """What is pushed already has no first tick: the answer's number is the last before."""
    await live.subscribe(ear, "tick.all:EURUSD")
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    other = live.ear(by_header=False)
    answer = await live.subscribe(other, "tick.all:EURUSD")
    live.terminal.tick("EURUSD", 2)
    live.terminal.pump()
    await turns()
    assert answer["subscribed"][0]["seq"] == 1
    assert [number for number, _ in stamps(other)] == [2]
    assert [number for number, _ in stamps(ear)] == [1, 2]


async def test_more_of_them_than_can_be_held_are_not_heard(live: Stage, ear: Ear) -> None:
    """While another channel of the call keeps it waiting: then it begins where it is answered,
    and the connection is not closed for it."""
    terminal = live.terminal
    terminal.hold = True
    asking = asyncio.ensure_future(live.subscribe(ear, "tick.all:EURUSD", "bar.M1:EURUSD"))
    await until(lambda: terminal.held)
    terminal.release()
    await until(lambda: terminal.held)
    terminal.tick("EURUSD", *range(1, 5001))
    terminal.pump()
    terminal.hold = False
    terminal.release()
    answer = await asking
    assert answer["subscribed"][0]["seq"] == 5000
    terminal.tick("EURUSD", 5001)
    terminal.pump()
    await turns()
    assert [number for number, _ in stamps(ear)] == [5001]
    assert ear.ended is None


@pytest.mark.parametrize("why", ["refused", "cancelled"])
async def test_of_a_subscription_that_was_not_made_nothing_is_left(
    live: Stage, ear: Ear, why: str
) -> None:
    """Nobody listens for it."""
    if why == "refused":
        with pytest.raises(SubscribeFailed):
            await live.subscribe(ear, "tick.all:NONE")
    else:
        live.terminal.hold = True
        asking = asyncio.ensure_future(live.subscribe(ear, "tick.all:EURUSD"))
        await until(lambda: live.terminal.held)
        asking.cancel()
        await asyncio.wait([asking])
    assert live.streams._hub._of == {}
