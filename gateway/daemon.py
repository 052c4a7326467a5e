"""What the gateway knows of itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway import API_VERSION, __version__
from gateway.config import Limits


def wall_ms() -> int:
    """UTC now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One run of the daemon."""

    boot: str
    """Random, new with each start; part of every stream's epoch."""
    limits: Limits
    rpc_url: str
    ws_url: str
    now_ms: Callable[[], int] = wall_ms
    started_ms: int = field(default_factory=wall_ms)
    version: str = __version__
    api: int = API_VERSION
