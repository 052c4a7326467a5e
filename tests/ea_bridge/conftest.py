"""A wire of bytes between two connections, a daemon's bridge on a free port, EAs that dial it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from bridge_parts import (
    DEVICE,
    KEYS,
    TOKEN,
    Bridge,
    FakeTimers,
    Heard,
    LiveSession,
    MemoryAuthorizer,
    Pair,
)

from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import Admitted, BridgeServer
from ea_bridge.token import parse_token


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture
def ready() -> Pair:
    """A pair with the handshake behind it."""
    pair = Pair()
    pair.shake_hands()
    return pair


@pytest.fixture
def timers() -> FakeTimers:
    return FakeTimers()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def authorizer() -> MemoryAuthorizer:
    keeper = MemoryAuthorizer()
    keeper.verdicts[parse_token(TOKEN)] = Admitted(keys=KEYS, terminal="demo")
    return keeper


@pytest.fixture
def registry(heard: Heard) -> TerminalRegistry:
    registry = TerminalRegistry(now_ms=lambda: 1_764_000_000_000)
    registry.subscribe(heard.on_registry_change)
    return registry


@pytest.fixture
async def bridge(
    authorizer: MemoryAuthorizer, registry: TerminalRegistry, heard: Heard
) -> AsyncIterator[Bridge]:
    server = BridgeServer(
        authorizer, registry, device_id=DEVICE, callbacks=heard.callbacks(), port=0
    )
    async with server:
        bridge = Bridge(server, registry, heard)
        yield bridge
        await bridge.hang_up()


@pytest.fixture
def live() -> LiveSession:
    return LiveSession()
