"""The clock of a terminal that is logged in to another account, in a daemon that runs."""

from __future__ import annotations

import asyncio

import pytest

from ea_bridge.host import boot_ms
from ea_bridge.protocol.handshake import SPAN
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalFacts
from ea_bridge.session import SessionState
from gateway.broker_time.clock import BrokerClocks

AT_S = 1_780_000_000


def linked(login: int, server: str, kind: ChangeKind = ChangeKind.CONNECTED) -> TerminalChange:
    """Return what the registry tells of a terminal's link."""
    hello = Hello(
        proto=SPAN,
        tid="A1b2C3d4E5f6",
        cnonce="0" * 64,
        boot="b1",
        platform="mt5",
        login=login,
        server=server,
    )
    facts = TerminalFacts(
        terminal="main", state=SessionState.READY, since_ms=0, hello=hello, last_q=0
    )
    return TerminalChange(kind, facts, None)


@pytest.mark.parametrize(("server", "is_told"), [("One", False), ("Two", True)])
async def test_a_command_never_bears_the_stamp_of_another_account_s_broker(
    server: str, is_told: bool
) -> None:
    """It is forgotten with the link, before the first command on it; who listens is told."""
    clocks, told = BrokerClocks(), list[str]()
    clock = clocks.of("main")
    clocks.linked(told.append, linked(1, "One"))
    clock.see(AT_S, boot_ms())
    clocks.linked(told.append, linked(1, "One"))
    clocks.linked(told.append, linked(2, server, ChangeKind.STALE))
    assert clock.shown_ms(boot_ms()) is not None
    clocks.linked(told.append, linked(2, server))
    assert (clock.shown_ms(boot_ms()), told) == (None, [])
    await asyncio.sleep(0)
    assert told == (["main"] if is_told else [])
    assert clocks.of("main") is clock
