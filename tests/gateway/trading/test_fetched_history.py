"""Rules of a history that is fetched in as many answers as it takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ea_bridge import commands
from gateway.errors import RangeTooLarge
from gateway.trading.history import fetch_history
from gateway.trading.terminal import GuardedTerminal


class Past:
    """A terminal with one order at each given second; an answer holds so many."""

    def __init__(self, *seconds: int, most: int) -> None:
        self.seconds, self.most = seconds, most
        self.asked: list[tuple[int, int]] = []

    async def request(self, command: Any, params: commands.HistoryParams) -> list[int]:
        assert command is commands.HISTORY_ORDERS_GET
        assert params.from_s is not None
        assert params.to_s is not None
        span = (params.from_s, params.to_s)
        self.asked.append(span)
        found = [one for one in self.seconds if span[0] <= one <= span[1]]
        if len(found) > self.most:
            raise RangeTooLarge(limit_bytes=1)
        return found


async def fetched(past: Past, from_s: int, to_s: int) -> list[list[int]]:
    terminal = cast(GuardedTerminal, SimpleNamespace(request=past.request))
    pieces = fetch_history(terminal, commands.HISTORY_ORDERS_GET, from_s, to_s)
    return [cast(list[int], piece) async for piece in pieces]


async def test_a_history_that_fits_is_one_answer() -> None:
    """Nothing is asked twice."""
    past = Past(1, 5, 9, most=3)
    assert await fetched(past, 0, 10) == [[1, 5, 9]]
    assert past.asked == [(0, 10)]


async def test_a_span_that_is_too_large_is_halved_oldest_first() -> None:
    """The newest part comes last, so that what ends meanwhile is in it; no second is lost."""
    past = Past(*range(8), most=2)
    pieces = await fetched(past, 0, 7)
    assert [second for piece in pieces for second in piece] == list(range(8))
    answered = [span for span in past.asked if span[1] - span[0] < 2]
    assert answered == [(0, 1), (2, 3), (4, 5), (6, 7)]


async def test_one_second_that_is_too_large_is_told() -> None:
    """It cannot be halved any more; what came before has been yielded."""
    past = Past(0, 3, 3, 3, most=1)
    terminal = cast(GuardedTerminal, SimpleNamespace(request=past.request))
    pieces = fetch_history(terminal, commands.HISTORY_ORDERS_GET, 0, 3)
    assert cast(list[int], await anext(pieces)) == [0]
    assert cast(list[int], await anext(pieces)) == []
    with pytest.raises(RangeTooLarge):
        await anext(pieces)
