"""Policies that do what all that is armed asks for, and timers that cost nothing to start anew."""

from __future__ import annotations

import asyncio

from gateway.trading.kill_switch.armed import TIMER, Armed, LazyTimer, LeasePolicy, combined_policy
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


async def test_a_timer_that_is_armed_again_fires_later_and_once() -> None:
    """Arming moves its due time alone: the loop's own timer stays where it is."""
    loop, fired = asyncio.get_running_loop(), asyncio.Event()
    times: list[float] = []

    def fire() -> None:
        times.append(loop.time())
        fired.set()

    begun = loop.time()
    timer = LazyTimer(0.05, fire)
    first = timer._timer
    await asyncio.sleep(0.03)
    timer.arm()
    assert timer._timer is first
    async with asyncio.timeout(60):
        await fired.wait()
    assert times[0] - begun >= 0.08
    await asyncio.sleep(0.06)
    assert len(times) == 1


async def test_a_cancelled_timer_does_nothing() -> None:
    """Also once more, and after it was armed."""
    fired: list[bool] = []
    timer = LazyTimer(0.01, lambda: fired.append(True))
    timer.arm()
    timer.cancel()
    timer.cancel()
    await asyncio.sleep(0.03)
    assert fired == []
