"""Chunks of long lists: between two of them whoever else waits gets a turn.

An answer may hold thousands of records, and a loop that makes them all in one go answers no ping
and sends no order meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

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
