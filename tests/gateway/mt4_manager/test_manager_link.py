"""The way to the peer: how much is on it at a time, and what its errors are."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ea_bridge.commands import NoParams
from ea_bridge.errors import (
    BridgeError,
    CommandFailed,
    CommandTimeout,
    NotSent,
    ResultTooLarge,
    TerminalBusy,
    Unsupported,
)
from ea_bridge.mt4_manager.commands import PING, Done
from ea_bridge.mt4_manager.model import ManagerConnection
from ea_bridge.mt4_manager.session import ManagerSession
from gateway.audit import Audit
from gateway.mt4_manager import PeerOffline, PeerRefused, PeerSilent
from gateway.mt4_manager import link as links
from gateway.mt4_manager import link as supervisions
from gateway.mt4_manager.link import KeptConnection, Link, Supervision


class Session:
    """Answers when it is told to; counts who waits."""

    def __init__(self) -> None:
        self.waiting = self.most = 0
        self.go = asyncio.Event()
        self.error: BridgeError | None = None
        self.answer: Any = Done()

    async def request(self, *_: Any, **__: Any) -> Any:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.go.wait()
        self.waiting -= 1
        if self.error is not None:
            raise self.error
        return self.answer


def link_to(session: Session | None) -> Link:
    return Link(lambda: cast(ManagerSession | None, session))


async def test_questions_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, few are on the way; all are answered. Changes have turns of their
    own.
    """
    monkeypatch.setattr(links, "MAX_QUESTIONS", 3)
    session = Session()
    link = link_to(session)
    asking = [asyncio.ensure_future(link.ask(PING, NoParams())) for _ in range(10)]
    while session.waiting < 3:  # noqa: ASYNC110  # they are on their way, and tell nobody
        await asyncio.sleep(0)
    assert not link.changes.locked()
    session.go.set()
    assert await asyncio.gather(*asking) == [Done()] * 10
    assert session.most == 3


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (NotSent("gone"), PeerOffline),
        (TerminalBusy("busy"), PeerOffline),
        (Unsupported("ping", "x"), PeerOffline),
        (ResultTooLarge("ping", 5), PeerOffline),
        (CommandTimeout("ping", 1.0), PeerSilent),
        (CommandFailed("ping", 0, 7), PeerRefused),
    ],
)
async def test_errors_of_the_bridge(error: BridgeError, becomes: type[Exception]) -> None:
    """Each is one that an operator can do something about; no text of the bridge is in it."""
    session = Session()
    session.error = error
    session.go.set()
    with pytest.raises(becomes) as raised:
        await link_to(session).ask(PING, NoParams())
    assert str(error) not in str(raised.value)


async def test_nobody_is_there() -> None:
    """A question is not kept for whoever may come."""
    link = link_to(None)
    assert not link.is_linked
    with pytest.raises(PeerOffline, match="not linked"):
        await link.ask(PING, NoParams())


async def test_anybody_who_asks_for_its_health_takes_one_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No token is needed for that: while the peer does not answer, no second question is put."""
    monkeypatch.setattr(supervisions, "FRESH_S", 0.0)
    session = Session()
    session.answer = ManagerConnection(connected=True, server="s", login=1)
    supervision = Supervision(link_to(session), cast(KeptConnection, None), Audit())
    first = asyncio.ensure_future(supervision.is_connected())
    while not session.waiting:  # noqa: ASYNC110  # it is on its way, and tells nobody
        await asyncio.sleep(0)
    assert await asyncio.gather(*(supervision.is_connected() for _ in range(5))) == [False] * 5
    assert session.waiting == 1
    session.go.set()
    assert await first
    session.answer = ManagerConnection(connected=False)
    assert not await supervision.is_connected()
