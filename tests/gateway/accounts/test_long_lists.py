"""Rules of long lists of the accounts API: whole, and never in one turn of the loop."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from turns import turns

from gateway.accounts.api.operation import dump
from gateway.chunks import CHUNK

ADAPTER: TypeAdapter[Any] = TypeAdapter(list[dict[str, int]])
ROWS = [{"n": n} for n in range(4 * CHUNK + 1)]


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, len(ROWS)])
async def test_the_bytes_are_those_of_one_go(count: int) -> None:
    """However long the list is."""
    assert await dump(ADAPTER, ROWS[:count]) == ADAPTER.dump_json(ROWS[:count])


async def test_others_have_their_turn_after_each_chunk() -> None:
    """A history of 20,000 deals held the loop for 150 ms."""
    async with turns() as seen:
        await dump(ADAPTER, ROWS)
    assert seen.count >= len(ROWS) // CHUNK


async def test_what_does_not_fit_its_shape_is_found_in_each_chunk() -> None:
    """As in a short list."""
    with pytest.raises(ValidationError):
        await dump(ADAPTER, [*ROWS, {"n": "none"}])


async def test_what_is_no_list_is_dumped_as_it_is() -> None:
    """Most answers are objects."""
    assert await dump(TypeAdapter(int), 7) == b"7"
