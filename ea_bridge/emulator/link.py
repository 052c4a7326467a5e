"""Link of an emulated terminal: it connects, proves itself, keeps alive, comes back.

One :class:`EmulatedLink` is what the EA's main loop is: it dials the daemon and starts over after
every disconnect. A :class:`TerminalConversation` is one connection: it answers commands, sends
what the terminal has to tell, and misbehaves where a fault asks for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from ea_bridge import host
from ea_bridge.commands import LOGIN_CHECK, TICKS_GET
from ea_bridge.endpoint.conversation import LinkRefused, PeerConversation, WrongDevice
from ea_bridge.endpoint.link import PeerLink
from ea_bridge.protocol.connection import TERMINAL, Connection
from ea_bridge.protocol.handshake import NONCE_BYTES
from ea_bridge.protocol.messages import (
    Ack,
    Auth,
    Busy,
    Challenge,
    Cmd,
    Hb,
    Hello,
    Pending,
    Res,
    Welcome,
)

from .executor import Crashed, is_trade
from .terminal import EmulatedTerminal

PULSE_S = 0.01
"""Between two pulses of the terminal: MetaTrader's own timer is no finer."""

AT_REST_S = 0.25
"""After its last command a terminal is at rest."""

BUSY_MS = 60_000
"""The limit that is told before a call that may hold the terminal up, as by the EA."""

_log = logging.getLogger(__name__)


class TerminalConversation(PeerConversation):
    """One TCP connection to the daemon, from the first byte to the last.

    Above :data:`~.endpoint.conversation.MAX_UNSENT` unsent bytes no more ticks are pulled; the
    cursor stays, so none is lost.

    Args:
        terminal: what is asked and what tells.
        token: the terminal's secret.
        on_ready: called when the daemon has let us in.
        on_pending: called when this machine waits for approval, and after each wrong code.

    """

    def __init__(
        self,
        terminal: EmulatedTerminal,
        token: str,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        super().__init__(Connection(TERMINAL), token, terminal.pin, on_ready, on_pending)
        self._terminal = terminal
        self._commanded_s = 0.0
        self._held: deque[tuple[Cmd, float]] | None = None
        """Commands that have come while the terminal is held up, and when."""

    def _introduce(self, tid: str, cnonce: str) -> Hello:
        return self._terminal.hello(tid, cnonce)

    def _answer_challenge(self, hello: Hello, challenge: Challenge) -> Auth:
        auth = super()._answer_challenge(hello, challenge)
        return (
            # of the right length, so that it is the proof that fails and not the line
            Auth(proof=host.token_hex(NONCE_BYTES))
            if self._terminal.faults.take("wrong_proof")
            else auth
        )

    def _started(self, welcome: Welcome) -> None:
        self.say(*self._terminal.link_ready(welcome.ack))
        self._tick_over()

    def _heard(self, hb: Hb) -> None:
        self._terminal.acknowledged(hb.ack)
        self._terminal.handler.lease.renew(hb.lease_ms)

    def _lost(self) -> None:
        self._terminal.link_lost()

    # --- commands --------------------------------------------------------------------------

    def _obey(self, cmd: Cmd) -> None:
        self._commanded_s = asyncio.get_running_loop().time()
        # MetaTrader gives an EA one thread: what comes now waits until its call returns
        if self._held is not None:
            self._held.append((cmd, self._commanded_s))
        else:
            self._carry_out(cmd)

    def _carry_out(self, cmd: Cmd, came_s: float | None = None) -> None:
        faults = self._terminal.faults
        if cmd.op == TICKS_GET.op and faults.slow_ticks_ms:
            self.say(Busy(ms=BUSY_MS))
            self._held = deque()
            self._after("ticks", faults.slow_ticks_ms / 1000, self._go_on, cmd)
        elif cmd.op == LOGIN_CHECK.op and faults.slow_login_ms:
            self._after(f"login {cmd.id}", faults.slow_login_ms / 1000, self._inform, cmd)
        elif not is_trade(cmd):
            self._inform(cmd, came_s)
        elif faults.take("cut_before_ack"):
            self.abort()
        elif faults.stall_ms and came_s is None:
            came_s = asyncio.get_running_loop().time()
            self._after(f"turn {cmd.id}", faults.stall_ms / 1000, self._trade, cmd, came_s)
        else:
            self._trade(cmd, came_s)

    def _go_on(self, cmd: Cmd) -> None:
        """Answer what held the terminal up, then what came meanwhile."""
        held, self._held = self._held or deque(), None
        self._inform(cmd)
        for waiting, came_s in held:
            if self._held is not None:  # one of them holds it up again
                self._held.append((waiting, came_s))
            else:
                self._carry_out(waiting, came_s)

    def _inform(self, cmd: Cmd, came_s: float | None = None) -> None:
        self.say(*self._terminal.execute(cmd, waited_ms=self._waited_ms(came_s)))

    def _waited_ms(self, came_s: float | None) -> float:
        if came_s is None:
            return 0.0
        return (asyncio.get_running_loop().time() - came_s) * 1000

    def _trade(self, cmd: Cmd, came_s: float | None = None) -> None:
        faults = self._terminal.faults
        if not faults.cut_unacked:
            self.say(Ack(id=cmd.id))
        try:
            answer = self._terminal.execute(cmd, waited_ms=self._waited_ms(came_s))
        except Crashed:
            self.abort()
            self._terminal.restart(lose_results=faults.take("lose_memory"))
            return
        if faults.take("cut_unacked") or faults.take("cut_after_ack"):
            self.abort()
        elif faults.take("lose_result"):
            _log.info("the result of command %d is lost", cmd.id)
        elif faults.delay_result_ms:
            self._after(f"result {cmd.id}", faults.delay_result_ms / 1000, self._answer, answer)
        else:
            self._answer(answer)
            if faults.take("cut_after_result"):
                self.close()

    def _answer(self, answer: list[Res]) -> None:
        # trade events go out at once, with the answer: nobody should wait for the next pulse
        self.say(*answer, *self._terminal.take_trade_events())

    # --- what the terminal says by itself ----------------------------------------------------

    def _tick_over(self) -> None:
        more = False
        if not self._paused and self._held is None:
            rested_s = asyncio.get_running_loop().time() - self._commanded_s
            messages, more = self._terminal.pulse(at_rest=rested_s >= AT_REST_S)
            if messages:
                self.say(*messages)
        # at once where there is more, but over the loop: commands have their turn in between
        self._after("pulse", 0.0 if more else PULSE_S, self._tick_over)

    def _heartbeat(self) -> None:
        super()._heartbeat()
        if self._terminal.faults.take("garbage") and self._transport is not None:
            # past the connection, which would refuse to say it
            self._transport.write(b"\x00garbage\n")

    def _pulse(self, n: int) -> Hb | None:
        # an EA that is held up cannot answer heartbeats either
        if self._held is not None or self._terminal.faults.take("mute"):
            return None
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        return self._terminal.heartbeat(n, unsent)


__all__ = ["EmulatedLink", "LinkRefused", "WrongDevice"]


class EmulatedLink(PeerLink[TerminalConversation]):
    """Link that keeps a terminal connected to a daemon until told to stop.

    Args:
        terminal: the terminal.
        host: where the daemon's bridge listens.
        port: its port.
        token: the terminal's ``auth_token``; never logged.
        seed: of the jitter between attempts.
        on_pending: called when this machine waits for approval, and again after each wrong code;
            the link waits on and gets ready by itself. It is in the log too.

    """

    def __init__(
        self,
        terminal: EmulatedTerminal,
        host: str,
        port: int,
        token: str,
        *,
        seed: int = 0,
        on_pending: Callable[[Pending], None] | None = None,
    ) -> None:
        def converse(on_ready: Callable[[], None]) -> TerminalConversation:
            return TerminalConversation(terminal, token, on_ready, on_pending or _ignore)

        super().__init__(converse, host, port, seed=seed)
        self._terminal = terminal

    async def run(self) -> None:
        """Dial, talk, and dial again, until cancelled or :meth:`stop`.

        Raises:
            LinkRefused: the daemon refuses the token, and has never let us in before.
            WrongDevice: another daemon than the one that let us in first knows the token.

        """
        guarding = asyncio.create_task(self._guard())
        try:
            await super().run()
        finally:
            guarding.cancel()

    async def _guard(self) -> None:
        """Enforce the lease, whether the daemon is there or not."""
        while True:
            await asyncio.sleep(PULSE_S)
            self._terminal.handler.lease.enforce()


def _ignore(_: Pending) -> None:
    """Do nothing: nobody but the log is told."""
