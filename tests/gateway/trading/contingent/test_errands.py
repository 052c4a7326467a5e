"""Errands of the daemon: tried until they succeed, whatever keeps them from it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.errors import TerminalDisconnected
from gateway.trading.contingent.errands import Errands


@pytest.mark.parametrize(
    ("problem", "level"),
    [
        (TerminalDisconnected(outcome="not_sent", terminal="main"), logging.INFO),
        (RuntimeError("a mistake"), logging.ERROR),
    ],
)
async def test_an_errand_is_tried_again(
    caplog: pytest.LogCaptureFixture, problem: Exception, level: int
) -> None:
    """A terminal that goes in the middle is no failure of ours: no traceback is logged for it."""
    caplog.set_level(logging.INFO)
    errands, tries = Errands(), 0
    failed, done = asyncio.Event(), asyncio.Event()

    async def attempt() -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            failed.set()
            raise problem
        done.set()
        return True

    errands.begin("look", attempt)
    await failed.wait()
    errands.hurry()
    async with asyncio.timeout(5):
        await done.wait()

    (record,) = caplog.records
    assert (record.levelno, tries) == (level, 2)
    assert (record.exc_info is None) is (level == logging.INFO)
