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


class HeldUpLink:
    """Link on which nothing comes between two moments, and all the time before and after."""

    terminal = "mt5"

    def __init__(self, loop: SimulatedLoop, silent: tuple[float, float]) -> None:
        self._loop = loop
        self._from_s, self._until_s = (loop.time() + moment_s for moment_s in silent)

    @property
    def silence_s(self) -> float:
        now_s = self._loop.time()
        return now_s - self._from_s if self._from_s <= now_s < self._until_s else 0.0


@pytest.mark.parametrize(
    ("slept_s", "silent", "looks_s"),
    [
        (0.0, (0.0, 0.0), 15.0),
        (4.05, (0.0, 0.0), 16.05),
        (8.0, (0.0, 0.0), 20.0),
        (0.0, (14.5, 19.0), 15.0),
        (0.0, (13.5, 17.3), 19.0),
    ],
    ids=["awake", "woke right before", "slept past it", "it had come before", "held up"],
)
def test_it_is_judged_once_the_answer_had_time_to_come(
    monkeypatch: pytest.MonkeyPatch, slept_s: float, silent: tuple[float, float], looks_s: float
) -> None:
    """However short before the look the machine woke: what came meanwhile is taken after that. The
    same where nothing came on the link for as long as an answer takes.
    """
    dice = Dice(1)
    loop = SimulatedLoop(dice("threads"), dice("turns"))
    Network(loop, dice("network"), Trace())
    link = HeldUpLink(loop, silent)
    registry = SimpleNamespace(sessions=lambda: [link])
    daemons = SimpleNamespace(
        present=0,
        death=loop.create_future(),
        gateway=SimpleNamespace(registry=registry),
    )
    world: Any = SimpleNamespace(loop=loop, daemons=daemons)
    terminal: Any = SimpleNamespace(name="mt5")
    looked: list[float] = []
    begun_s = loop.time()

    def look(*_: object) -> None:
        looked.append(loop.time() - begun_s)

    async def run() -> None:
        slow_terminal._look_in(15.0, world, terminal, 1, (0, 0))
        await asyncio.sleep(11.0)
        loop.sleep(slept_s)
        await asyncio.sleep(9.0)

    monkeypatch.setattr(slow_terminal, "_look", look)
    loop.run_until_complete(run())
    assert looked == pytest.approx([looks_s], abs=0.01)
