"""Conversation of a manager peer, be the trade server beside it real or emulated."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from ea_bridge import host
from ea_bridge.endpoint.conversation import PeerConversation
from ea_bridge.endpoint.device_pin import DevicePin
from ea_bridge.mt4_manager.commands import MANAGER_COMMANDS, MAX_LINE_TO_MANAGER
from ea_bridge.protocol.connection import TERMINAL, Connection
from ea_bridge.protocol.handshake import SPAN
from ea_bridge.protocol.messages import Auth, Challenge, Cmd, Hb, Hello, Pending, Welcome

WINDOW_MS = 300_000


class Delay:
    """Time that a message was on its way, without a clock that both ends share.

    The daemon stamps what it says by its own steady clock (:func:`ea_bridge.host.boot_ms`). The
    difference between ours and the stamp is that of the two clocks, and the time on the way. The
    least difference of the last minutes is that of the fastest message; whatever is over it is
    delay. That counts a peer that was frozen with commands unread, a tunnel that stood still, a
    computer that slept; clocks that are set, or run apart by a few seconds a day, do not matter.
    """

    def __init__(self) -> None:
        self._least: int | None = None
        self._before: int | None = None
        """Of the window before this one: a new one begins with what is known."""
        self._begun_ms = 0

    def of(self, stamp_ms: int, now_ms: int) -> int:
        """Return how many milliseconds later than the fastest a message came.

        Args:
            stamp_ms: its stamp; 0 where it has none, which tells nothing.
            now_ms: when it was read.

        """
        if not stamp_ms:
            return 0
        difference = now_ms - stamp_ms
        if self._least is None or now_ms - self._begun_ms >= WINDOW_MS:
            self._before, self._least, self._begun_ms = self._least, difference, now_ms
        self._least = min(self._least, difference)
        known = self._least if self._before is None else min(self._least, self._before)
        return difference - known


MAX_WELCOME_MS = 5000
"""From our proof to the daemon's welcome, which it says at once."""

_log = logging.getLogger(__name__)


class ManagerBackend(Protocol):
    """Backend of a link: the program at our end of it."""

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

    def obey(self, cmd: Cmd, conversation: ManagerConversation, waited_ms: float) -> None:
        """Carry a command out, now or later, and say its answer to the conversation.

        Args:
            waited_ms: how long it has been on its way.

        """


class ManagerConversation(PeerConversation):
    """One TCP connection of a manager peer.

    Args:
        backend: what is asked.
        token: its secret.
        pin: which daemon it belongs to.
        on_ready: called when the daemon has let us in.
        on_pending: called when this machine waits for approval, and after each wrong code.

    """

    def __init__(
        self,
        backend: ManagerBackend,
        token: str,
        pin: DevicePin,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        connection = Connection(TERMINAL, commands=MANAGER_COMMANDS, max_line=MAX_LINE_TO_MANAGER)
        super().__init__(connection, token, pin, on_ready, on_pending)
        self._backend = backend
        self._delay = Delay()
        self._proved_ms = 0

    def _introduce(self, tid: str, cnonce: str) -> Hello:
        # of the trade server nothing is said: whoever answers here has not proved himself yet
        return Hello(
            proto=SPAN,
            tid=tid,
            cnonce=cnonce,
            boot=self._backend.boot,
            platform="mt4",
            role="manager",
            login=0,
            server="",
            ea=self._backend.name,
            caps="results",
            fp=self._backend.fingerprint,
        )

    def _answer_challenge(self, hello: Hello, challenge: Challenge) -> Auth:
        self._proved_ms = host.boot_ms()
        return super()._answer_challenge(hello, challenge)

    def _started(self, welcome: Welcome) -> None:
        now_ms = host.boot_ms()
        self._delay.of(welcome.sent, now_ms)
        if now_ms - self._proved_ms > MAX_WELCOME_MS:
            # what is delayed is known by what is not, and the welcome itself was
            _log.warning("the welcome came too late: the link begins anew")
            self.abort()

    def _heard(self, hb: Hb) -> None:
        self._delay.of(hb.sent, host.boot_ms())

    def _obey(self, cmd: Cmd) -> None:
        if self.is_cut:
            return
        self._backend.obey(cmd, self, self._delay.of(cmd.sent, host.boot_ms()))

    def _pulse(self, n: int) -> Hb | None:
        return Hb(n=n, broker=self._backend.connected)
