"""Managers are kept apart from terminals: whose token is whose, the newest link wins."""

from __future__ import annotations

import itertools

import pytest
from bridge_parts import FakeTimers, MemoryWire, Pair, make_hello

from ea_bridge.mt4_manager.session import (
    MAX_SUBSCRIBERS,
    ManagerCallbacks,
    ManagerRegistry,
    ManagerSession,
)
from ea_bridge.protocol.connection import DAEMON, TERMINAL


def begin(registry: ManagerRegistry, id_: str = "mt4") -> ManagerSession:
    """A session that the registry knows, on a wire in memory."""
    pair = Pair()
    pair.shake_hands()
    session = ManagerSession(
        terminal=id_,
        generation=1,
        id="s-1",
        hello=make_hello(role="manager"),
        connection=pair.ends[DAEMON],
        wire=MemoryWire(pair.ends[TERMINAL]),
        timers=FakeTimers(),
        command_ids=itertools.count(1),
        callbacks=ManagerCallbacks(on_change=registry.note_change),
    )
    registry.join(session)
    return session


@pytest.fixture
def registry() -> ManagerRegistry:
    return ManagerRegistry({"mt4"})


def test_it_says_whose_token_is_a_managers(registry: ManagerRegistry):
    """Those that it was given."""
    assert registry.takes("mt4")
    assert not registry.takes("demo")


def test_the_newest_session_replaces_the_older(registry: ManagerRegistry):
    """Whose end changes nothing any more."""
    told: list[str] = []
    registry.subscribe(lambda session: told.append(session.state.value))
    first, second = begin(registry), begin(registry)

    assert first.end_reason == "replaced"
    assert registry.get("mt4") is second
    assert registry.sessions() == [second]
    assert told == ["ready", "ready"]
    second.end("the link was lost")
    assert registry.get("mt4") is None
    assert told[2:] == ["disconnected"]


def test_a_subscriber_that_fails_does_not_stop_others(registry: ManagerRegistry):
    """Nor the session."""
    told: list[ManagerSession] = []

    def fail(_: ManagerSession) -> None:
        raise ZeroDivisionError

    registry.subscribe(fail)
    end = registry.subscribe(told.append)
    session = begin(registry)
    end()
    session.end("x")

    assert told == [session]


def test_subscribers_are_bounded(registry: ManagerRegistry):
    """With a name for the bound."""
    for _ in range(MAX_SUBSCRIBERS):
        registry.subscribe(lambda _: None)
    with pytest.raises(OverflowError):
        registry.subscribe(lambda _: None)
