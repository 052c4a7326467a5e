"""Policies that do what all that is armed asks for, and timers that cost nothing to start anew."""

from __future__ import annotations

import asyncio

import pytest

from gateway.trading.kill_switch.dead_man import (
    TIMER,
    Armed,
    LazyTimer,
    LeasePolicy,
    combined_policy,
)
from gateway.trading.requests import Action


def armed(action: Action, *, own: bool) -> Armed:
    return Armed(terminal="a", tid="t", name=TIMER, action=action, own=own, within_ms=1000)


def test_nothing_armed_is_no_policy() -> None:
    assert combined_policy([]) is None


def test_a_policy_does_what_each_asks_for() -> None:
    """The stricter action; and only own orders if all of them mean their own."""
    cancel, close = armed("cancel_orders", own=True), armed("cancel_and_close", own=True)
    assert combined_policy([cancel]) == LeasePolicy("cancel_orders", own=True)
    assert combined_policy([cancel, close]) == LeasePolicy("cancel_and_close", own=True)
    of_all = armed("cancel_orders", own=False)
    assert combined_policy([close, of_all]) == LeasePolicy("cancel_and_close", own=False)


async def test_a_timer_that_is_armed_again_fires_later_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arming moves its due time alone: the loop's own timer stays where it is.

    The loop's clock stands still but for our steps: on a busy machine a sleep outlasts the timer,
    and Windows' clock goes in steps of 16 ms.
    """
    loop = asyncio.get_running_loop()
    now_s = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now_s)
    fired: list[float] = []

    timer = LazyTimer(1.0, lambda: fired.append(now_s))
    begun_s, first = now_s, timer._timer
    now_s += 0.6
    timer.arm()
    assert timer._timer is first
    for after_s in (0.6, 1.0, 1.5, 1.7, 3.0, 9.0):
        now_s = begun_s + after_s
        await _turns_of_the_loop()
    assert fired == [begun_s + 1.7]


async def _turns_of_the_loop() -> None:
    """Let the loop look at its timers, and run what is due."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_cancelled_timer_does_nothing() -> None:
    """Also once more, and after it was armed."""
    fired: list[bool] = []
    timer = LazyTimer(0.01, lambda: fired.append(True))
    timer.arm()
    timer.cancel()
    timer.cancel()
    await asyncio.sleep(0.03)
    assert fired == []
