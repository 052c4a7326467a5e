"""Intervals of the product while days are simulated: longer than its own, longest while nobody
trades.

What is looked at four times a second would cost most of a simulated day. All that is judged there
has margins of a minute, so that it may be looked at more rarely.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from ea_bridge import host
from ea_bridge.emulator import link as emulated_conversation
from ea_bridge.emulator import link as emulated_link
from ea_bridge.endpoint import conversation as peer_conversation
from ea_bridge.server import link as server_link
from ea_bridge.session import liveness
from gateway.accounts import service as accounts_service
from gateway.audit import service as audit_service
from gateway.auth import gate
from gateway.console import events as waking
from gateway.console import service
from gateway.console.mail import queue
from gateway.console_link import link as uplink_link
from gateway.paper import service as paper_service
from gateway.storage import reserve
from gateway.trading.kill_switch import switch
from gateway.trading.reconcile import used_ids

SILENT_S, DEAD_S = 60.0, 90.0
"""From when on a link is stale, and dead: more than any heartbeat below."""
INTERVALS: tuple[tuple[Any, str, float, float], ...] = (
    (liveness, "HEARTBEAT_S", 4.0, 20.0),
    (peer_conversation, "HEARTBEAT_S", 4.0, 20.0),
    (used_ids, "HEARTBEAT_S", 8.0, 40.0),
    (liveness, "STALE_S", SILENT_S, SILENT_S),
    (liveness, "DEAD_S", DEAD_S, DEAD_S),
    (server_link, "DEAD_S", DEAD_S, DEAD_S),
    (emulated_conversation, "PULSE_S", 4.0, 60.0),
    (emulated_link, "PULSE_S", 4.0, 60.0),
    (gate, "POLL_S", 4.0, 30.0),
    (paper_service, "LOOK_S", 10.0, 60.0),
    (accounts_service, "LOOK_S", 10.0, 60.0),
    (audit_service, "LOOK_S", 10.0, 30.0),
    (switch, "WATCH_S", 10.0, 60.0),
    (uplink_link, "WATCH_S", 5.0, 30.0),
    (waking, "POLL_S", 300.0, 300.0),
    (queue, "POLL_S", 300.0, 900.0),
    (service, "KEY_CHECK_S", 600.0, 900.0),
    (reserve, "LOOK_S", 60.0, 300.0),
)
"""Module, name, how long it is while there is trade, and how long while there is none. A broker's
offset is measured while heartbeats are at most five seconds apart."""


class Intervals:
    """The intervals as they are now; the product's own return at the end of the context."""

    def __init__(self) -> None:
        self._patches = ExitStack()

    def __enter__(self) -> Intervals:
        """Let the product look less often."""
        for module, name, busy, _ in INTERVALS:
            self._patches.enter_context(patch.object(module, name, busy))
        return self

    def __exit__(self, *_: object) -> None:
        """Put the product's own back."""
        self._patches.close()

    def be_quiet(self, is_quiet: bool) -> None:
        """Set the long intervals of quiet hours, or the normal ones again."""
        for module, name, busy, quiet in INTERVALS:
            setattr(module, name, quiet if is_quiet else busy)


@contextmanager
def drawn_keys() -> Iterator[None]:
    """Let the client of the stream have its keys and masks from the host while the block lasts."""

    def token_bytes(count: int | None = None) -> bytes:
        return host.random_bytes(32 if count is None else count)

    with patch.object(secrets, "token_bytes", token_bytes):
        yield
