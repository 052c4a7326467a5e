"""Facts that the gateway knows of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ea_bridge.host import wall_ms
from gateway import API_VERSION, __version__
from gateway.config import Limits
from gateway.credentials.lease import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleView:
    """The console that the gateway takes its tokens from, as the holder of one token may see it.

    Times are UTC milliseconds.
    """

    url: str
    connected: bool
    """It can say at once what has changed."""
    last_sync_ms: int | None
    """``None``: never since the start."""
    problem: str
    """What is wrong and what to do; empty if nothing is."""
    clock_suspect: bool
    tier: Tier
    """What the token may do now."""
    reason: str
    """Why that is not all; empty if it is."""
    tier_ends_ms: int | None
    """When it becomes less, should the console stay silent."""
    lease_ends_ms: int | None
    device: str
    """Id of this machine."""


def _no_console(_tid: str) -> ConsoleView | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeInfo:
    """Facts of one run of the daemon."""

    boot: str
    """Random, new with each start; part of every stream's epoch."""
    limits: Limits
    rpc_url: str
    ws_url: str
    console: Callable[[str], ConsoleView | None] = _no_console
    """How the console is, for the token of an id; ``None`` where the gateway makes its own."""
    now_ms: Callable[[], int] = wall_ms
    started_ms: int = field(default_factory=wall_ms)
    version: str = __version__
    api: int = API_VERSION
