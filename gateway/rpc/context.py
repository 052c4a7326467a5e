"""What every door hands its calls to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gateway.auth.caller import Caller
from gateway.auth.tickets import Tickets
from gateway.rpc.catalogue import Call, Transport
from gateway.rpc.jsonrpc import JsonRpc
from gateway.runtime import Daemon

if TYPE_CHECKING:
    from gateway.streams import Listener, Streams
    from gateway.trading.guard import GuardedTerminal


class Gatekeeper(Protocol):
    """What the doors need of the gate."""

    def admit(self, token: str) -> Caller:
        """Return who holds the token.

        Raises:
            Unauthorized: nobody whom we let in.

        """

    def recheck(self, caller: Caller) -> None:
        """Make sure that a caller still has its rights; costs next to nothing.

        Raises:
            Unauthorized: they were revoked, ran out or changed.

        """

    def on_change(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        """Have ``callback(tid, reason)`` called when a token loses its rights.

        Returns:
            What ends that.

        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The front and what calls are made of; wired once, by the web server."""

    front: JsonRpc
    gate: Gatekeeper
    tickets: Tickets
    streams: Streams
    daemon: Daemon
    terminal_for: Callable[[Caller], GuardedTerminal]
    """The guarded terminal of a caller's token; it may be offline."""
    welcome: Callable[[Call], Mapping[str, Any]] | None = None
    """What a ``/ws`` connection is told when it has signed in; without one, nothing."""

    def call(
        self,
        caller: Caller,
        transport: Transport,
        listener: Listener | None = None,
        origin: str | None = None,
    ) -> Call:
        """Return what the answers to one message are made with."""
        return Call(
            caller=caller,
            transport=transport,
            terminal=self.terminal_for(caller),
            streams=self.streams,
            listener=listener,
            daemon=self.daemon,
            tickets=self.tickets,
            origin=origin,
        )
