"""Tasks of the daemon: tried until they succeed, whatever keeps them from it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.background import RetryingTasks
from gateway.errors import TerminalDisconnected


@pytest.mark.parametrize(
    ("problem", "level"),
    [
        (TerminalDisconnected(outcome="not_sent", terminal="main"), logging.INFO),
        (RuntimeError("a mistake"), logging.ERROR),
    ],
)
async def test_a_task_is_tried_again(
    caplog: pytest.LogCaptureFixture, problem: Exception, level: int
) -> None:
    """A terminal that goes in the middle is no failure of ours: no traceback is logged for it."""
    caplog.set_level(logging.INFO)
    tasks, tries = RetryingTasks(), 0
    failed, done = asyncio.Event(), asyncio.Event()

    async def attempt() -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            failed.set()
            raise problem
        done.set()
        return True

    tasks.begin("look", attempt)
    await failed.wait()
    tasks.hurry()
    async with asyncio.timeout(5):
        await done.wait()

    (record,) = caplog.records
    assert (record.levelno, tries) == (level, 2)
    assert (record.exc_info is None) is (level == logging.INFO)
