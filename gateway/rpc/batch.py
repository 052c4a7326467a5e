"""How the items of a batch take their turns.

A batch can hold a hundred calls that each keep the processor busy for a while. After every item
whoever else waits gets a turn: another caller's order must not stand behind the whole batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

MAX_CONCURRENT_READS = 32
"""Reads of one batch that are answered at a time."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class ResponseBudget:
    """What the answers to a batch may still take together: first come, first served."""

    bytes: int


async def in_order(items: Sequence[T], answer: Callable[[T], Awaitable[R]]) -> list[R]:
    """Return the answers to the items, each asked for when the one before is answered."""
    answers = []
    for item in items:
        answers.append(await answer(item))
        await asyncio.sleep(0)
    return answers


async def at_once(items: Sequence[T], answer: Callable[[T], Awaitable[R]]) -> list[R]:
    """Return the answers to the items, in their order, up to 32 of them asked for together.

    One more begins with each turn of the loop, however many could.
    """
    answers: dict[int, R] = {}
    free = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def answer_one(index: int, item: T) -> None:
        try:
            answers[index] = await answer(item)
        finally:
            free.release()

    async with asyncio.TaskGroup() as group:
        for index, item in enumerate(items):
            await free.acquire()
            group.create_task(answer_one(index, item))
            await asyncio.sleep(0)
    return [answers[index] for index in range(len(items))]
