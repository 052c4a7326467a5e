"""Link of an emulated manager: it dials the daemon, answers commands, misbehaves when told to."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ea_bridge import host
from ea_bridge.endpoint.link import PeerLink
from ea_bridge.mt4_manager.endpoint import ManagerConversation, is_change
from ea_bridge.protocol.messages import Ack, Cmd, Hb, Pending

from .server import EmulatedManager

_log = logging.getLogger(__name__)


class EmulatedConversation(ManagerConversation):
    """One TCP connection of an emulated manager."""

    def __init__(
        self,
        manager: EmulatedManager,
        token: str,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        super().__init__(_EmulatedBackend(manager), token, manager.pin, on_ready, on_pending)
        self._faults = manager.faults

    def _pulse(self, n: int) -> Hb | None:
        # silence is what the daemon notices; the link stays
        return None if self._faults.take("mute") else super()._pulse(n)

    def later(self, delay_s: float, cmd: Cmd, act: Callable[..., None], *args: object) -> None:
        """Do something with a command after a while, unless the link is gone by then."""
        self._after(f"{act.__name__} {cmd.id}", delay_s, act, *args)


class _EmulatedBackend:
    """Backend that carries commands out at the emulated manager."""

    def __init__(self, manager: EmulatedManager) -> None:
        self._manager = manager
        self.name = "emulated manager"
        self.fingerprint = manager.fingerprint

    @property
    def boot(self) -> str:
        return self._manager.boot

    @property
    def connected(self) -> bool:
        return self._manager.connected

    def obey(self, cmd: Cmd, conversation: ManagerConversation, waited_ms: float) -> None:
        """Carry a command out; a change as the faults have it."""
        assert isinstance(conversation, EmulatedConversation)  # no other is made with this side
        faults = self._manager.faults
        if not is_change(cmd):
            conversation.say(*self._manager.executor.execute(cmd))
        elif faults.take("cut_before_ack"):
            conversation.abort()
        elif faults.stall_ms:
            delay_s = faults.stall_ms / 1000
            sent_ms = host.boot_ms() - waited_ms
            conversation.later(delay_s, cmd, self._change, cmd, conversation, sent_ms)
        else:
            self._change(cmd, conversation, host.boot_ms() - waited_ms)

    def _change(self, cmd: Cmd, conversation: EmulatedConversation, sent_ms: float) -> None:
        manager, faults = self._manager, self._manager.faults
        # this fault cuts before a word is said, though the change is made
        if not faults.cut_unacked:
            conversation.say(Ack(id=cmd.id))
        answer = manager.executor.execute(cmd, waited_ms=host.boot_ms() - sent_ms)
        # a process that has died answers nobody; its successor reads the file of results
        if manager.crashed:
            conversation.abort()
            manager.restart(lose_results=faults.take("lose_memory"))
        elif faults.take("cut_unacked") or faults.take("cut_after_ack"):
            conversation.abort()
        elif faults.take("lose_result"):
            _log.info("the result of command %d is lost", cmd.id)
        elif faults.delay_result_ms:
            delay_s = faults.delay_result_ms / 1000
            conversation.later(delay_s, cmd, conversation.say, *answer)
        else:
            conversation.say(*answer)
            if faults.take("cut_after_result"):
                conversation.close()


class ManagerLink(PeerLink[EmulatedConversation]):
    """Link that keeps an emulated manager connected to a daemon until told to stop.

    Args:
        manager: who is asked.
        host: where the daemon's bridge listens.
        port: its port.
        token: the manager's; never logged.
        seed: of the jitter between attempts.
        on_pending: called when this machine waits for approval.

    """

    def __init__(
        self,
        manager: EmulatedManager,
        host: str,
        port: int,
        token: str,
        *,
        seed: int = 0,
        on_pending: Callable[[Pending], None] | None = None,
    ) -> None:
        def converse(on_ready: Callable[[], None]) -> EmulatedConversation:
            return EmulatedConversation(manager, token, on_ready, on_pending or _ignore)

        super().__init__(converse, host, port, seed=seed)


def _ignore(_: Pending) -> None:
    """Do nothing: nobody but the log is told."""
