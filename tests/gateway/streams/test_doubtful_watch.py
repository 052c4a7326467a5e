"""Ticks while it is in doubt what the terminal pushes: none comes twice, no hole is hidden."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from stage import NAME, Ear, Stage, turns, until

CHANNEL = "tick.all:EURUSD"


def heard(ear: Ear) -> list[tuple[str, int, int | None]]:
    """Type, number and milliseconds of each event of every tick."""
    return [
        (event["type"], event["seq"], event["data"].get("broker_time", 0) % 1000 or None)
        for event in ear.of(CHANNEL)
    ]


async def asked(stage: Stage, ear: Ear) -> asyncio.Future[Any]:
    """Subscribe, with the terminal's answer held."""
    stage.terminal.hold = True
    asking = asyncio.ensure_future(stage.subscribe(ear, CHANNEL))
    await until(lambda: stage.terminal.held)
    return asking


def say_first(stage: Stage, *stamps: int) -> None:
    """Answer what is held, with the first ticks in the same data."""
    terminal = stage.terminal
    answers = [terminal.answer(cmd) for cmd in terminal.held]
    terminal.held.clear()
    terminal.tick("EURUSD", *stamps)
    terminal.say(*answers, terminal.ticks())


@pytest.mark.parametrize(
    "changes", [{"login": 2}, {"caps": "book,deals,check"}], ids=["account", "no cursors"]
)
async def test_first_ticks_are_of_the_link_that_told_them(
    live: Stage, ear: Ear, changes: dict[str, Any]
) -> None:
    """The link breaks before their answer is read: another account's ticks do not go on there."""
    asking = await asked(live, ear)
    say_first(live, 1, 2)
    live.terminal.hold = False
    live.terminal.disconnect()
    live.terminal.connect(**changes)
    await asking
    await turns()
    live.terminal.tick("EURUSD", 4)
    live.terminal.pump()
    await turns()
    assert heard(ear) == [("update", 1, 1), ("update", 2, 2), ("gap", 3, None), ("update", 4, 4)]
    assert live.terminal.watches[-1].last_msc == 0


async def test_no_tick_comes_twice_when_an_answer_counts_for_nothing(
    live: Stage, ear: Ear
) -> None:
    """It is asked again on the same link, where the ticks show that it had been carried out: the
    terminal is not sent back to a place that what is on its way has passed."""
    asking = await asked(live, ear)
    live.streams.set_paper(NAME, True)
    say_first(live, 1, 2)
    await until(lambda: any(cmd.op == "watch" for cmd in live.terminal.held))
    live.terminal.tick("EURUSD", 3)
    live.terminal.pump()
    live.terminal.hold = False
    live.terminal.release()
    live.terminal.pump()
    await asking
    await turns()
    assert heard(ear) == [("update", 1, 1), ("update", 2, 2), ("update", 3, 3)]


async def test_an_end_whose_answer_counts_for_nothing_is_taken_back(live: Stage, ear: Ear) -> None:
    """Subscribed to again before that is known: the terminal is asked again."""
    terminal = live.terminal
    await live.subscribe(ear, CHANNEL)
    terminal.hold = True
    live.streams.unsubscribe(live.caller, ear, [CHANNEL])
    await until(lambda: terminal.held)
    live.streams.set_paper(NAME, True)
    asking = asyncio.ensure_future(live.subscribe(ear, CHANNEL))
    await turns()
    terminal.hold = False
    terminal.release()
    await asking
    await until(lambda: len(terminal.watches) == 3)
    await turns()
    terminal.tick("EURUSD", 1)
    terminal.pump()
    await turns()
    assert heard(ear) == [("update", 1, 1)]


@pytest.mark.parametrize("others", [["book:EURUSD"], []], ids=["beside others", "alone"])
async def test_what_an_unanswered_end_leaves_on_the_way_is_not_told(others: list[str]) -> None:
    """The terminal hangs, then stops and begins again: what came before that has a hole behind.

    Alone it was forgotten in the meantime that the end was in doubt: found in the simulation.
    """
    stage = Stage(timeout_s=0.05)
    terminal = stage.terminal
    terminal.connect()
    await turns()
    ear = stage.ear()
    await stage.subscribe(ear, CHANNEL, *others)
    stage.streams.unsubscribe(stage.caller, ear, [CHANNEL])
    terminal.hold = True
    await until(lambda: terminal.held)
    feed = stage.streams._feeds[NAME]
    await until(lambda: not feed._quotes["EURUSD"].push.settle.running)
    stage.timeout_s = 10.0
    asking = asyncio.ensure_future(stage.subscribe(ear, CHANNEL))
    await until(lambda: len(terminal.held) == 2)
    terminal.tick("EURUSD", 1)
    terminal.pump()
    terminal.say(terminal.answer(terminal.held.pop(0)))
    terminal.tick("EURUSD", 2)
    terminal.hold = False
    terminal.release()
    await asking
    terminal.tick("EURUSD", 3)
    terminal.pump()
    await turns()
    assert heard(ear) == [("update", 1, 3)]
    stage.streams.close()


async def test_first_ticks_are_heard_while_the_last_end_is_under_way(
    live: Stage, ear: Ear
) -> None:
    """A bot connects again: its new subscription counts from when it was asked for too."""
    await live.subscribe(ear, CHANNEL)
    live.streams.detach(ear)
    live.terminal.hold = True
    await until(lambda: live.terminal.held)
    new = live.ear()
    asking = asyncio.ensure_future(live.subscribe(new, CHANNEL))
    await turns()
    live.terminal.release()
    await until(lambda: live.terminal.held)
    say_first(live, 1, 2)
    answer = await asking
    assert answer["subscribed"][0]["seq"] == 0
    assert heard(new) == [("update", 1, 1), ("update", 2, 2)]


async def test_who_asks_twice_is_told_the_same_number_twice(live: Stage, ear: Ear) -> None:
    """Of one call: what was heard before the terminal's answer follows behind both."""
    terminal = live.terminal
    terminal.hold = True
    asking = asyncio.ensure_future(live.subscribe(ear, CHANNEL, CHANNEL))
    await until(lambda: terminal.held)
    say_first(live, 1)
    answer = await asking
    assert [one["seq"] for one in answer["subscribed"]] == [0, 0]
    assert heard(ear) == [("update", 1, 1)]
