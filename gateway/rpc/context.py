"""Context of a call: the parts of the gateway that ``/rpc`` and ``/ws`` make calls with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.auth.caller import Caller
from gateway.auth.tickets import Tickets
from gateway.rpc.authentication import Gatekeeper
from gateway.rpc.catalogue import Call, Transport
from gateway.rpc.jsonrpc import JsonRpc
from gateway.runtime import RuntimeInfo
from gateway.streams import Listener, Streams
from gateway.trading.kill_switch.service import Safeguards
from gateway.trading.state import StateOf
from gateway.trading.terminal import GuardedTerminal


class UnheardSafeguards(Safeguards):
    """Safeguards of a call that is no sign of life of the token's program."""

    def heard(self, *_: object) -> None:
        """Note nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcContext:
    """JSON-RPC front and the parts that calls are made with; wired once, by the web server."""

    front: JsonRpc
    gate: Gatekeeper
    tickets: Tickets
    streams: Streams
    daemon: RuntimeInfo
    terminal_for: Callable[[Caller], GuardedTerminal]
    """The guarded terminal of a caller's token; it may be offline."""
    state_of: StateOf
    """The shared state of such a terminal."""
    safeguards: Safeguards
    welcome: Callable[[Call], Mapping[str, Any]] | None = None
    """Makes what a ``/ws`` connection is told when it has signed in; without one, nothing."""

    def call(
        self,
        caller: Caller,
        transport: Transport,
        listener: Listener | None = None,
        origin: str | None = None,
        *,
        by_program: bool = True,
        may_read: bool = False,
    ) -> Call:
        """Return the call that the answers to one message are made with.

        Args:
            by_program: whether it shows that the token's program lives. What another makes with
                the same token, as a person on the live page does, holds up no timer for a
                program that has fallen silent.
            may_read: see :attr:`Call.may_read`.

        """
        terminal = self.terminal_for(caller)
        return Call(
            caller=caller,
            transport=transport,
            terminal=terminal,
            state=self.state_of(terminal),
            safeguards=self.safeguards if by_program else self._unheard(),
            streams=self.streams,
            listener=listener,
            daemon=self.daemon,
            tickets=self.tickets,
            origin=origin,
            may_read=may_read,
        )

    def _unheard(self) -> UnheardSafeguards:
        parts = self.safeguards
        return UnheardSafeguards(
            switch=parts.switch, dead_man=parts.dead_man, disconnects=parts.disconnects
        )
