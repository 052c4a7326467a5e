"""Times at which those who look around at intervals wake."""

from __future__ import annotations

import asyncio

import pytest

from gateway.background import next_look


@pytest.mark.parametrize(
    ("now_s", "wakes_s"),
    [(1000.0, 1000.25), (1000.1, 1000.25), (1000.2499, 1000.5), (1000.2501, 1000.5)],
)
async def test_all_who_look_wake_together(
    monkeypatch: pytest.MonkeyPatch, now_s: float, wakes_s: float
) -> None:
    """At multiples of the interval; and not twice where a timer has rung a hair early."""
    loop = asyncio.get_running_loop()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(loop, "time", lambda: now_s)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await next_look(0.25)
    monkeypatch.undo()
    assert now_s + slept[0] == pytest.approx(wakes_s)
