"""When it is judged whether an answer that came late was taken."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from .dice import Dice
from .faults import slow_terminal
from .loop import SimulatedLoop
from .network import Network
from .trace import Trace


@pytest.mark.parametrize(("slept_s", "looks_s"), [(0.0, 15.0), (4.05, 16.05), (8.0, 20.0)])
def test_it_is_judged_once_a_machine_that_woke_had_its_time(
    monkeypatch: pytest.MonkeyPatch, slept_s: float, looks_s: float
) -> None:
    """However short before the look it woke: what came meanwhile is taken after that."""
    dice = Dice(1)
    loop = SimulatedLoop(dice("threads"), dice("turns"))
    Network(loop, dice("network"), Trace())
    world: Any = SimpleNamespace(loop=loop)
    looked: list[float] = []
    begun_s = loop.time()

    def look(*_: object) -> None:
        looked.append(loop.time() - begun_s)

    async def run() -> None:
        slow_terminal._look_in(15.0, world, world, 1, (0, 0))
        await asyncio.sleep(11.0)
        loop.sleep(slept_s)
        await asyncio.sleep(9.0)

    monkeypatch.setattr(slow_terminal, "_look", look)
    loop.run_until_complete(run())
    assert looked == pytest.approx([looks_s], abs=0.01)
