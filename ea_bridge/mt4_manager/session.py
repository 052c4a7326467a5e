"""Session of a manager peer, between the gateway and a MetaTrader 4 server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ea_bridge import host
from ea_bridge.mt4_manager.commands import MAX_ANSWER_BYTES, MAX_LINE_TO_MANAGER
from ea_bridge.protocol.connection import Connection
from ea_bridge.protocol.messages import Hb, Hello
from ea_bridge.session.calls import Bounds, LateResult
from ea_bridge.session.liveness import Timers
from ea_bridge.session.peer import PeerSession, Wire

MAX_MANAGER_IN_FLIGHT = 256
"""As many as one ``results_get`` can ask about."""
MANAGER_BOUNDS = Bounds(
    in_flight=MAX_MANAGER_IN_FLIGHT,
    answer_bytes=MAX_ANSWER_BYTES,
    unsent=4 * MAX_LINE_TO_MANAGER,
)


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class ManagerCallbacks:
    """Listeners of a manager's session. All are called in the event loop and must not block."""

    on_change: Callable[[ManagerSession], None] = _ignore
    """``state`` or ``broker`` is another than before."""
    on_late_result: Callable[[ManagerSession, LateResult], None] = _ignore


class ManagerSession(PeerSession):
    """Session of one live manager peer; asked with :mod:`ea_bridge.mt4_manager.commands` only.

    ``broker``: it is logged in at the MetaTrader 4 server, as its last heartbeat told.

    Args:
        callbacks: who hears of what happens; the others as of a :class:`.PeerSession`.

    """

    def __init__(
        self,
        *,
        terminal: str,
        generation: int,
        id: str,
        hello: Hello,
        connection: Connection,
        wire: Wire,
        timers: Timers,
        command_ids: Iterator[int],
        callbacks: ManagerCallbacks,
    ) -> None:
        super().__init__(
            terminal=terminal,
            generation=generation,
            id=id,
            hello=hello,
            connection=connection,
            wire=wire,
            timers=timers,
            command_ids=command_ids,
            bounds=MANAGER_BOUNDS,
        )
        self._callbacks = callbacks

    def _take_heartbeat(self, hb: Hb) -> None:
        super()._take_heartbeat(hb)
        if hb.broker is not self.broker:
            self.broker = hb.broker
            self._notify_change()

    def _stamp(self) -> int:
        return host.boot_ms()

    def _notify_change(self) -> None:
        self._notify(self._callbacks.on_change)

    def _notify_late_result(self, late: LateResult) -> None:
        self._notify(self._callbacks.on_late_result, late)
