"""The rules of the door, over real sockets."""

from __future__ import annotations

import asyncio

from ea_bridge import commands
from ea_bridge.protocol import messages as m


async def test_a_terminal_is_welcomed_and_asked(bridge):
    """After the mutual proof a command reaches the EA with its params."""
    _, session = ea, session = await bridge.join()
    params = commands.SymbolParams(symbol="EURUSD")
    asked = asyncio.create_task(session.request(commands.TICK_GET, params))
    cmd = await ea.hear(m.Cmd)
    assert cmd.params == params
    ea.say(m.Res(id=cmd.id, ok=True, d=__import__("bridge_parts").raw([1, 1.5, 1.6])))
    assert (await asked).ask == 1.6
