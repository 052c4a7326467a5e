"""Rules of pages of open orders and positions: by their tickets, whatever comes and goes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge.commands import FilterParams
from ea_bridge.errors import ResultTooLarge
from gateway.errors import InvalidParams, RangeTooLarge

LISTS = pytest.mark.parametrize(
    ("method", "op", "noun"),
    [("get_orders", "orders_get", ORDER), ("get_positions", "positions_get", POSITION)],
)
MOST = 500
"""Records that fit in an answer of the terminal."""


class Open:
    """What is open at a terminal, newest ticket first; an earlier EA knows nothing of pages."""

    def __init__(self, scene: Scene, op: str, noun: Any, *, earlier: bool = False) -> None:
        self.rows = [replace(noun, ticket=number) for number in range(1200, 0, -1)]
        self.earlier = earlier
        scene.script.answers[op] = self._answer

    def _answer(self, params: FilterParams) -> Any:
        found = self.rows
        if not self.earlier:
            above = sorted(
                (row for row in found if row.ticket > (params.after or 0)),
                key=lambda row: int(row.ticket),
            )
            found = above[: params.count or None]
        return ResultTooLarge("orders_get", 1) if len(found) > MOST else found


async def pages(scene: Scene, method: str, limit: int) -> list[list[int]]:
    """Turn the pages up to the last, as the documentation says."""
    found: list[list[int]] = []
    after = 0
    while not found or len(found[-1]) == limit:
        page = await scene.ask(method, limit=limit, after=after)
        found.append([one["ticket"] for one in page])
        after = max(found[-1], default=after)
    return found


@LISTS
async def test_more_than_an_answer_holds_comes_in_pages(
    scene: Scene, method: str, op: str, noun: Any
) -> None:
    """Whole, lowest ticket first, by one question a page; in one go it is refused."""
    Open(scene, op, noun)
    with pytest.raises(RangeTooLarge):
        await scene.ask(method)
    scene.script.asked.clear()
    found = await pages(scene, method, 400)
    assert [ticket for page in found for ticket in page] == list(range(1, 1201))
    assert len(scene.script.asked) == len(found)


@LISTS
async def test_an_earlier_ea_gives_all_and_the_gateway_cuts(
    scene: Scene, method: str, op: str, noun: Any
) -> None:
    """What fits in its answer can be paged as well."""
    there = Open(scene, op, noun, earlier=True)
    there.rows = there.rows[-450:]
    found = await pages(scene, method, 100)
    assert [len(page) for page in found] == [100, 100, 100, 100, 50]
    assert [ticket for page in found for ticket in page] == list(range(1, 451))


@LISTS
async def test_what_comes_and_goes_between_two_pages_moves_no_other(
    scene: Scene, method: str, op: str, noun: Any
) -> None:
    """What stays is told once."""
    there = Open(scene, op, noun)
    first = await scene.ask(method, limit=100)
    there.rows = [row for row in there.rows if row.ticket % 2] + [replace(noun, ticket=5000)]
    second = await scene.ask(method, limit=100, after=first[-1]["ticket"])
    assert [one["ticket"] for one in second] == list(range(101, 301, 2))


@LISTS
@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 5001}, {"after": -1}])
async def test_pages_within_bounds(
    scene: Scene, method: str, op: str, noun: Any, params: dict[str, Any]
) -> None:
    """Neither empty nor endless."""
    with pytest.raises(InvalidParams):
        await scene.ask(method, **params)
