"""Rules of answers with long lists: they are serialised chunk by chunk, to the same bytes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from turns import turns

from gateway.chunks import CHUNK, dump_chunks

ROWS = [{"n": n, "text": 'a "é" \\ b', "price": 1.1 + n} for n in range(3 * CHUNK + 1)]


@pytest.mark.parametrize(
    "result",
    [
        ROWS,
        ROWS[:CHUNK],
        {"rows": ROWS, "none": [], "next_cursor": None, "of": {"rows": ROWS, "few": [1]}},
        {},
    ],
)
async def test_the_bytes_are_those_of_one_go(result: Any) -> None:
    """However long the lists are, and wherever they stand."""
    response = {"jsonrpc": "2.0", "result": result, "id": "a"}
    assert await dump_chunks({**response}) == orjson.dumps(response)


async def test_others_have_their_turn_after_each_chunk() -> None:
    """A page never holds the loop for longer than one chunk takes."""
    async with turns() as seen:
        await dump_chunks({"result": {"rows": ROWS}})
    assert seen.count >= len(ROWS) // CHUNK


async def test_what_is_no_json_is_told_all_the_same() -> None:
    """Also where it stands in a late chunk."""
    with pytest.raises(TypeError):
        await dump_chunks({"result": [*ROWS, object()]})
