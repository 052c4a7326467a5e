"""Copies of the terminal's lists are the truth, whenever events arrive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Overloaded, Timeout
from gateway.streams import account as replica
from gateway.streams.account import Replica


@dataclass(frozen=True)
class Item:
    ticket: int
    volume: int = 0


@given(
    before=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=10),
    flying=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=10),
    answered_at=st.integers(0, 10),
)
@settings(max_examples=150, deadline=None)
def test_events_on_both_sides_of_the_answer_end_in_the_truth(
    before: list[tuple[int, int]], flying: list[tuple[int, int]], answered_at: int
) -> None:
    """The answer shows some moment while events arrive; the copy ends as the terminal is.

    A volume of 0 removes. ``answered_at``: how many of the flying changes the answer has seen.
    """
    truth: dict[int, Item] = {}

    def change(ticket: int, volume: int) -> tuple[str, Item]:
        item = Item(ticket, volume)
        if volume:
            truth[ticket] = item
            return "change", item
        truth.pop(ticket, None)
        return "remove", item

    async def play() -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()
        shown: list[Item] = []

        async def fetch() -> list[Item]:
            asked.set()
            await go_on.wait()
            return shown

        copy: Replica[Item] = Replica(fetch)
        for step in before:
            copy.change(*change(*step))
        priming = asyncio.ensure_future(copy.prime())
        await asked.wait()
        for n, step in enumerate(flying):
            if n == answered_at:
                shown[:] = truth.values()
            copy.change(*change(*step))
        if answered_at >= len(flying):
            shown[:] = truth.values()
        go_on.set()
        await priming
        assert copy.items == truth

    asyncio.run(play())


async def test_a_copy_that_is_known_is_not_asked_for_again() -> None:
    """Everybody who needs it shares one question; afterwards none is asked."""
    asked = 0

    async def fetch() -> list[Item]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return [Item(1)]

    copy: Replica[Item] = Replica(fetch)
    await asyncio.gather(copy.prime(), copy.prime())
    await copy.prime()
    assert asked == 1


async def test_an_answer_from_before_a_loss_is_asked_for_again() -> None:
    """Events were lost while the answer was on its way: it may be too old."""
    answers = [[Item(1)], [Item(2)]]
    copy: Replica[Item]

    async def fetch() -> list[Item]:
        if len(answers) == 2:
            copy.discard()
        return answers.pop(0)

    copy = Replica(fetch)
    await copy.prime()
    assert copy.items == {2: Item(2)}


async def test_a_failure_is_told_to_all_who_wait_and_leaves_nothing() -> None:
    """The next one who needs the list asks anew."""
    fails = [True]

    async def fetch() -> list[Item]:
        await asyncio.sleep(0)
        if fails.pop() if fails else False:
            raise Timeout
        return []

    copy: Replica[Item] = Replica(fetch)
    results = await asyncio.gather(copy.prime(), copy.prime(), return_exceptions=True)
    assert all(isinstance(result, Timeout) for result in results)
    assert copy.items is None
    await copy.prime()
    assert copy.items == {}


async def test_a_flood_while_asking_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More changes than may be kept: the copy fails instead of growing or being wrong."""
    monkeypatch.setattr(replica, "MAX_CHANGES", 10)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def fetch() -> list[Item]:
        asked.set()
        await go_on.wait()
        return []

    copy: Replica[Item] = Replica(fetch)
    priming = asyncio.ensure_future(copy.prime())
    await asked.wait()
    for n in range(1000):
        copy.change("add", Item(n))
    go_on.set()
    with pytest.raises(Overloaded):
        await priming
    assert copy.items is None


async def test_a_terminal_that_never_stops_opening_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over the bound the copy is given up, not grown."""
    monkeypatch.setattr(replica, "MAX_ITEMS", 10)

    async def fetch() -> list[Item]:
        return []

    copy: Replica[Item] = Replica(fetch)
    await copy.prime()
    for n in range(11):
        copy.change("add", Item(n))
    assert copy.items is None
