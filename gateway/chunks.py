"""Chunks of long lists: between two of them whoever else waits gets a turn.

An answer may hold thousands of records, and a loop that makes them all in one go answers no ping
and sends no order meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import orjson

CHUNK = 100
"""Records that are worked off in one turn of the loop: two milliseconds for what is dearest, a
position that is put together from its deals."""

T = TypeVar("T")
R = TypeVar("R")


async def in_chunks(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield a list piece by piece, each in a turn of the loop of its own."""
    for start in range(0, len(items), CHUNK):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + CHUNK]


async def take_chunks(items: list[T]) -> AsyncIterator[list[T]]:
    """Yield a list piece by piece, the last first, and empty it.

    To throw thousands of objects away takes milliseconds as well: here each chunk goes by itself.
    """
    while items:
        chunk = items[-CHUNK:]
        del items[-CHUNK:]
        yield chunk
        del chunk
        await asyncio.sleep(0)


async def map_chunks(convert: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what a function makes of each item."""
    if len(items) <= CHUNK:
        return [convert(item) for item in items]
    return [convert(item) async for chunk in in_chunks(items) for item in chunk]


async def dump_chunks(response: dict[str, Any]) -> bytes:
    """Serialise a response; long lists in its result take a turn of the loop for each chunk.

    Raises:
        TypeError: something in it is no JSON.

    """
    pieces: list[bytes | memoryview] = []
    await _add_pieces(pieces, response)
    body = b"".join(pieces)
    # to throw thousands of objects away takes milliseconds, and to write the body as well
    await asyncio.sleep(0)
    response["result"] = None
    await asyncio.sleep(0)
    return body


async def _add_pieces(pieces: list[bytes | memoryview], value: Any) -> None:
    """Add the JSON of a value. It is joined once, in the end: megabytes are slow to copy."""
    if type(value) is dict and value:
        before = b"{"
        for name, member in value.items():
            if type(name) is not str:
                raise TypeError("a member's name is no text")  # as orjson says of the whole
            pieces += (before, orjson.dumps(name), b":")
            await _add_pieces(pieces, member)
            before = b","
        pieces.append(b"}")
    elif type(value) is list and len(value) > CHUNK:
        before = b"["
        async for chunk in in_chunks(value):
            pieces += (before, memoryview(orjson.dumps(chunk))[1:-1])
            before = b","
        pieces.append(b"]")
    else:
        pieces.append(orjson.dumps(value))
