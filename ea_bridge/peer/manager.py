"""The link of a manager peer, be the trade server beside it real or emulated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ea_bridge.manager_commands import MANAGER_COMMANDS, MAX_LINE_TO_MANAGER
from ea_bridge.protocol.connection import TERMINAL, Connection
from ea_bridge.protocol.handshake import SPAN
from ea_bridge.protocol.messages import Cmd, Hb, Hello, Pending

from .conversation import Conversation
from .pin import DevicePin


class ManagerSide(Protocol):
    """What stands at our end of the link."""

    @property
    def boot(self) -> str:
        """Random, new with each start."""

    @property
    def name(self) -> str:
        """Of the program, with its version."""

    @property
    def fingerprint(self) -> str:
        """See ``Hello.fp``."""

    @property
    def connected(self) -> bool:
        """Whether it is logged in at the trade server."""

    def obey(self, cmd: Cmd, conversation: ManagerConversation) -> None:
        """Carry a command out, now or later, and say its answer to the conversation."""


class ManagerConversation(Conversation):
    """One TCP connection of a manager peer.

    Args:
        side: what is asked.
        token: its secret.
        pin: which daemon it belongs to.
        on_ready: called when the daemon has let us in.
        on_pending: called when this machine waits for approval, and after each wrong code.

    """

    def __init__(
        self,
        side: ManagerSide,
        token: str,
        pin: DevicePin,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        connection = Connection(TERMINAL, commands=MANAGER_COMMANDS, max_line=MAX_LINE_TO_MANAGER)
        super().__init__(connection, token, pin, on_ready, on_pending)
        self._side = side

    def _introduce(self, tid: str, cnonce: str) -> Hello:
        # of the trade server nothing is said: whoever answers here has not proved himself yet
        return Hello(
            proto=SPAN,
            tid=tid,
            cnonce=cnonce,
            boot=self._side.boot,
            platform="mt4",
            role="manager",
            login=0,
            server="",
            ea=self._side.name,
            caps="results",
            fp=self._side.fingerprint,
        )

    def _obey(self, cmd: Cmd) -> None:
        self._side.obey(cmd, self)

    def _pulse(self, n: int) -> Hb | None:
        return Hb(n=n, broker=self._side.connected)
