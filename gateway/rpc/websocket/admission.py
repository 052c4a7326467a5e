"""What a WebSocket connection asks of the door that it came in by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from gateway.auth.caller import Caller

if TYPE_CHECKING:
    from gateway.rpc.websocket.connection import WsConnection


class Lobby(Protocol):
    """The door."""

    admit: Callable[[str], Awaitable[Caller]]
    """Return who holds the token; wrong ones are answered at the pace of failures."""

    def enter(self, connection: WsConnection) -> bool:
        """Count a connection that has logged in; return whether its token may have one more."""
