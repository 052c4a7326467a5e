"""A peer whose daemon says nothing begins anew by itself."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from simulation.dice import Dice
from simulation.loop import SimulatedLoop
from simulation.network import Network
from simulation.trace import Trace

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.endpoint.conversation import GREETING_S
from ea_bridge.token import new_token


def test_a_daemon_that_never_answers_is_dialled_again() -> None:
    """Who accepts, and then says nothing, as a program does that hangs, is left after a time."""
    dice = Dice(1)
    loop = SimulatedLoop(dice("threads"), dice("turns"))
    Network(loop, dice("network"), Trace())
    dialled_s: list[float] = []

    class Mute(asyncio.Protocol):
        def connection_made(self, _: asyncio.BaseTransport) -> None:
            dialled_s.append(loop.time())

    async def dial() -> None:
        listening = await loop.create_server(Mute, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        link = EmulatedLink(build_terminal(), "127.0.0.1", port, new_token())
        linking = loop.create_task(link.run())
        await asyncio.sleep(100)
        linking.cancel()

    loop.run_until_complete(dial())

    waits = [later - sooner for sooner, later in pairwise(dialled_s)]
    assert len(waits) > 2
    assert all(GREETING_S < wait < GREETING_S + 15 for wait in waits)
