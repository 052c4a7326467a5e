"""One TCP connection of an emulated terminal: it proves itself, answers, tells, keeps alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from ea_bridge.commands import LOGIN_CHECK, TOO_LARGE
from ea_bridge.protocol.connection import CLOSED, PENDING, READY, TERMINAL, Connection
from ea_bridge.protocol.errors import (
    LineTooLong,
    ProtocolError,
    RemoteProtocolError,
    WrongProof,
)
from ea_bridge.protocol.framing import MAX_LINE_TO_DAEMON
from ea_bridge.protocol.handshake import answer_challenge, new_nonce
from ea_bridge.protocol.messages import (
    DENIALS,
    Ack,
    Bye,
    Challenge,
    Cmd,
    Denied,
    Hb,
    Hello,
    Message,
    Pending,
    Remedy,
    Res,
    Verify,
    Welcome,
)
from ea_bridge.token import parse_token

from .executor import Crashed, is_trade
from .terminal import EmulatedTerminal

PULSE_S = 0.01
"""How often the terminal is pumped: MetaTrader's own timer is no finer."""
HEARTBEAT_S = 1.0
MAX_UNSENT = 1_048_576
"""Above so many unsent bytes no more ticks are pulled; the cursor stays, so none is lost."""
MAX_UNWRITABLE_S = 5.0
LAST_RETRY_S = 15.0
REPLACED_RETRY_S = 300.0
"""After another terminal came with our token. The newest link wins: were we to come back at once,
the two would throw each other out for ever."""

_log = logging.getLogger(__name__)


class LinkRefused(Exception):
    """The daemon did not let the terminal in; the message says why."""


class WrongDevice(LinkRefused):
    """Another daemon than the one that let the terminal in first answers, and knows the token."""


class Conversation(asyncio.Protocol):
    """One TCP connection to the daemon, from the first byte to the last.

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
        self.over = asyncio.get_running_loop().create_future()
        """Done when the connection is gone; its result is how long to wait before the next."""
        self._terminal = terminal
        self._token = token
        self._on_ready = on_ready
        self._on_pending = on_pending
        self._connection = Connection(TERMINAL)
        self._hello: Hello | None = None
        self._device = ""
        self._transport: asyncio.Transport | None = None
        self._timers: dict[str, asyncio.TimerHandle | asyncio.Handle] = {}
        self._paused = False
        self._retry_s: float | None = None
        self.refusal: LinkRefused | None = None
        """Why we were not let in, if that is how it ended."""

    # --- the socket ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        transport.set_write_buffer_limits(high=MAX_UNSENT, low=MAX_UNSENT // 2)
        self._transport = transport
        self._hello = self._terminal.hello(parse_token(self._token), new_nonce())
        self._say(self._hello)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._connection.receive_data(data)
        except RemoteProtocolError as error:
            _log.warning("the daemon broke the protocol: %s", error)
            self._handle(error.received)
            self.close()
        else:
            self._handle(messages)

    def pause_writing(self) -> None:
        self._paused = True
        self._after("unwritable", MAX_UNWRITABLE_S, self.abort)

    def resume_writing(self) -> None:
        self._paused = False
        self._forget("unwritable")

    def connection_lost(self, exc: Exception | None) -> None:
        for name in list(self._timers):
            self._forget(name)
        self._terminal.link_lost()
        if not self.over.done():
            self.over.set_result(self._retry_s)

    def close(self) -> None:
        """End the conversation; what was written is still sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the link, as a crash or a pulled cable does."""
        if self._transport is not None:
            self._transport.abort()

    def say_goodbye(self) -> None:
        """Leave in order."""
        if self._transport is not None and not self._transport.is_closing():
            self._say(Bye(code="shutdown"))
            self.close()

    def verify(self, code: str) -> bool:
        """Send the code of the mail; false where nobody waits for one."""
        if self._connection.state is not PENDING:
            return False
        self._say(Verify(code=code))
        return True

    def _say(self, *messages: Message) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._connection.state is CLOSED:
            return  # what we answer came in one read with the daemon's goodbye
        try:
            self._transport.write(b"".join(self._line(m) for m in messages))
        except ProtocolError:
            _log.exception("the emulated terminal wanted to break the protocol")
            self.abort()

    def _line(self, message: Message) -> bytes:
        """Return the bytes of a message. What is too long must not cost the link, and with it
        all that the daemon does with this terminal: it would ask the same again on the next one.
        """
        try:
            return self._connection.send(message)
        except LineTooLong as error:
            _log.error("a %s cannot be told: %s", type(message).__name__, error)
        if isinstance(message, Res):
            said = f"it does not fit into {MAX_LINE_TO_DAEMON} bytes"
            return self._connection.send(
                Res(id=message.id, ok=False, err=TOO_LARGE, msg=said, part=message.part)
            )
        return b""  # a counted event is missed by its number, any other is followed by a newer one

    # --- what the daemon says --------------------------------------------------------------

    def _handle(self, messages: list[Message]) -> None:
        for message in messages:
            match message:
                case Cmd():
                    self._obey(message)
                case Hb():
                    self._terminal.acknowledged(message.ack)
                    self._terminal.desk.lease.renew(message.lease_ms)
                    self._beat(message.n)
                case Challenge():
                    self._prove(message)
                case Welcome():
                    self._start(message)
                case Pending():
                    self._wait(message)
                case Denied():
                    self._give_up(message)
                case Bye():
                    self._leave(message)

    def _prove(self, challenge: Challenge) -> None:
        assert self._hello is not None
        wrong = self._terminal.faults.take("wrong_proof")
        try:
            auth = answer_challenge(self._token, self._hello, challenge)
        except WrongProof as error:
            self._turn_away(LinkRefused(str(error)), "proof")
            return
        self._device = challenge.device
        pin = self._terminal.pin
        if not pin.fits(self._device):
            # with a right proof: a squatter that was approved as a new device, or a daemon that
            # has moved. It gets no proof of ours to pass on
            where = f"delete {pin.path}" if pin.path else "start the terminal anew"
            reason = (
                f"the daemon on this port is device {self._device:.128}, but the one that let "
                f"this terminal in first is {pin.device}: another program answers, or the daemon "
                f"was moved to another home. If you have moved it, {where}"
            )
            self._turn_away(WrongDevice(reason), "device")
            return
        if wrong:
            other = type(auth)(proof=new_nonce())
            self._say(other)
        else:
            self._say(auth)

    def _turn_away(self, refusal: LinkRefused, code: str) -> None:
        """Tell whoever answers here nothing at all."""
        _log.error("%s", refusal)
        self.refusal = refusal
        self._retry_s = LAST_RETRY_S
        self._say(Bye(code=code))
        self.close()

    def _wait(self, pending: Pending) -> None:
        if pending.error == "wrong_code":
            _log.warning("that was not the code of the mail; tries left: %s", pending.tries_left)
        elif pending.error:
            _log.warning("the code cannot be checked now: try again")
        else:
            _log.warning(
                "this machine waits for approval: see your mail, or open %s and type %s there, "
                "within %d s",
                pending.url,
                pending.user_code,
                pending.expires_s,
            )
        self._on_pending(pending)

    def _leave(self, bye: Bye) -> None:
        if bye.code == "replaced":
            _log.warning("another terminal has linked with our token: this one stays away")
            self._retry_s = REPLACED_RETRY_S
        elif bye.code == "approved":
            _log.info("this machine is approved")
            self._retry_s = 0.0
        else:
            _log.info("the daemon said goodbye: %s", bye.code)
        self.close()

    def _give_up(self, denied: Denied) -> None:
        self._retry_s = denied.retry_ms / 1000
        if DENIALS.get(denied.code) is Remedy.WAIT:
            _log.warning(
                "not let in yet: %s (%s); the next try is in %.0f s",
                denied.reason,
                denied.code,
                self._retry_s,
            )
        else:
            _log.error("the daemon refused the token: %s (%s)", denied.reason, denied.code)
            self.refusal = LinkRefused(denied.reason)
        self.close()

    def _start(self, welcome: Welcome) -> None:
        self._terminal.pin.keep(self._device)
        self._say(*self._terminal.link_ready(welcome.ack))
        self._on_ready()
        self._tick_over()
        self._heartbeat()

    # --- commands --------------------------------------------------------------------------

    def _obey(self, cmd: Cmd) -> None:
        faults = self._terminal.faults
        if cmd.op == LOGIN_CHECK.op and faults.slow_login_ms:
            self._after(f"login {cmd.id}", faults.slow_login_ms / 1000, self._inform, cmd)
        elif not is_trade(cmd):
            self._inform(cmd)
        elif faults.take("cut_before_ack"):
            self.abort()
        elif faults.stall_ms:
            came_s = asyncio.get_running_loop().time()
            self._after(f"turn {cmd.id}", faults.stall_ms / 1000, self._trade, cmd, came_s)
        else:
            self._trade(cmd)

    def _inform(self, cmd: Cmd) -> None:
        self._say(*self._terminal.execute(cmd))

    def _trade(self, cmd: Cmd, came_s: float | None = None) -> None:
        faults = self._terminal.faults
        waited_s = 0.0 if came_s is None else asyncio.get_running_loop().time() - came_s
        if not faults.cut_unacked:
            self._say(Ack(id=cmd.id))
        try:
            answer = self._terminal.execute(cmd, waited_ms=waited_s * 1000)
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
        self._say(*answer, *self._terminal.take_trade_events())

    # --- what the terminal says by itself ----------------------------------------------------

    def _tick_over(self) -> None:
        more = False
        if not self._paused:
            messages, more = self._terminal.pulse()
            if messages:
                self._say(*messages)
        self._after("pulse", 0.0 if more else PULSE_S, self._tick_over)

    def _heartbeat(self) -> None:
        self._beat(0)
        if self._terminal.faults.take("garbage") and self._transport is not None:
            self._transport.write(b"\x00garbage\n")
        self._after("heartbeat", HEARTBEAT_S, self._heartbeat)

    def _beat(self, n: int) -> None:
        if self._connection.state is PENDING:
            self._say(Hb(n=n))  # of the account nothing is told before we are let in
        elif self._connection.state is READY and not self._terminal.faults.take("mute"):
            unsent = self._transport.get_write_buffer_size() if self._transport else 0
            self._say(self._terminal.heartbeat(n, unsent))

    def _after(self, name: str, delay_s: float, act: Callable[..., None], *args: object) -> None:
        self._forget(name)
        self._timers[name] = asyncio.get_running_loop().call_later(delay_s, act, *args)

    def _forget(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
