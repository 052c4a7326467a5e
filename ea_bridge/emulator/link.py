"""The emulated terminal's wire: connects, proves itself, keeps the link alive, comes back.

One :class:`Link` is what the EA's main loop is: it dials the daemon, answers commands, pumps what
the terminal has to tell, and starts over after every disconnect.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import cast

from ea_bridge.protocol.connection import CLOSED, READY, TERMINAL, Connection
from ea_bridge.protocol.errors import ProtocolError, RemoteProtocolError, WrongProof
from ea_bridge.protocol.handshake import answer_challenge, new_nonce
from ea_bridge.protocol.messages import (
    Ack,
    Bye,
    Challenge,
    Cmd,
    Denied,
    Hb,
    Hello,
    Message,
    Pending,
    Res,
    Welcome,
)
from ea_bridge.token import parse_token

from .terminal import EmulatedTerminal

PULSE_S = 0.01
"""How often the terminal is pumped: MetaTrader's own timer is no finer."""
HEARTBEAT_S = 1.0
MAX_UNSENT = 1_048_576
"""Above so many unsent bytes no more ticks are pulled; the cursor stays, so none is lost."""
MAX_UNWRITABLE_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.25, 15.0
REPLACED_RETRY_S = 300.0
"""After another terminal came with our token. The newest link wins: were we to come back at once,
the two would throw each other out for ever."""

_log = logging.getLogger(__name__)


class LinkRefused(Exception):
    """The daemon did not let the terminal in; the message says why."""


class Conversation(asyncio.Protocol):
    """One TCP connection to the daemon, from the first byte to the last.

    Args:
        terminal: what is asked and what tells.
        token: the terminal's secret.
        on_ready: called when the daemon has let us in.

    """

    def __init__(
        self, terminal: EmulatedTerminal, token: str, on_ready: Callable[[], None]
    ) -> None:
        self.over = asyncio.get_running_loop().create_future()
        """Done when the connection is gone; its result is how long to wait before the next."""
        self._terminal = terminal
        self._token = token
        self._on_ready = on_ready
        self._connection = Connection(TERMINAL)
        self._hello: Hello | None = None
        self._transport: asyncio.Transport | None = None
        self._timers: dict[str, asyncio.TimerHandle | asyncio.Handle] = {}
        self._paused = False
        self._retry_s: float | None = None
        self.refusal: str | None = None
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

    def _say(self, *messages: Message) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._connection.state is CLOSED:
            return  # what we answer came in one read with the daemon's goodbye
        try:
            self._transport.write(b"".join(self._connection.send(m) for m in messages))
        except ProtocolError:
            _log.exception("the emulated terminal wanted to break the protocol")
            self.abort()

    # --- what the daemon says --------------------------------------------------------------

    def _handle(self, messages: list[Message]) -> None:
        for message in messages:
            match message:
                case Cmd():
                    self._obey(message)
                case Hb():
                    self._terminal.acknowledged(message.ack)
                    self._beat(message.n)
                case Challenge():
                    self._prove(message)
                case Welcome():
                    self._start(message)
                case Pending():
                    _log.warning("approve this device: code %s", message.user_code)
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
            _log.error("%s", error)
            self.refusal = str(error)
            self._retry_s = LAST_RETRY_S
            self._say(Bye(code="proof"))
            self.close()
            return
        if wrong:
            other = type(auth)(proof=new_nonce())
            self._say(other)
        else:
            self._say(auth)

    def _leave(self, bye: Bye) -> None:
        if bye.code == "replaced":
            _log.warning("another terminal has linked with our token: this one stays away")
            self._retry_s = REPLACED_RETRY_S
        else:
            _log.info("the daemon said goodbye: %s", bye.code)
        self.close()

    def _give_up(self, denied: Denied) -> None:
        _log.error("the daemon refused the token: %s (%s)", denied.reason, denied.code)
        if denied.code != "busy":
            self.refusal = denied.reason
        self._retry_s = denied.retry_ms / 1000
        self.close()

    def _start(self, welcome: Welcome) -> None:
        self._say(*self._terminal.link_ready(welcome.ack))
        self._on_ready()
        self._tick_over()
        self._heartbeat()

    # --- commands --------------------------------------------------------------------------

    def _obey(self, cmd: Cmd) -> None:
        faults = self._terminal.faults
        if not self._terminal.is_trade(cmd):
            self._say(*self._terminal.execute(cmd))
            return
        if faults.take("cut_before_ack"):
            self.abort()
            return
        self._say(Ack(id=cmd.id))
        answer = self._terminal.execute(cmd)
        if faults.take("cut_after_ack"):
            self.abort()
        elif faults.take("lose_result"):
            _log.info("the result of command %d is lost", cmd.id)
        elif faults.delay_result_ms:
            self._after(f"result {cmd.id}", faults.delay_result_ms / 1000, self._answer, answer)
        else:
            self._answer(answer)

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
        if self._connection.state is READY and not self._terminal.faults.take("mute"):
            unsent = self._transport.get_write_buffer_size() if self._transport else 0
            self._say(self._terminal.heartbeat(n, unsent))

    def _after(self, name: str, delay_s: float, act: Callable[..., None], *args: object) -> None:
        self._forget(name)
        self._timers[name] = asyncio.get_running_loop().call_later(delay_s, act, *args)

    def _forget(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


class Link:
    """Keeps a terminal connected to a daemon until told to stop.

    Args:
        terminal: the terminal.
        host: where the daemon's bridge listens.
        port: its port.
        token: the terminal's ``auth_token``; never logged.
        seed: of the jitter between attempts.

    """

    def __init__(
        self, terminal: EmulatedTerminal, host: str, port: int, token: str, *, seed: int = 0
    ) -> None:
        self.ready = asyncio.Event()
        """Set while the daemon listens to us."""
        self._terminal = terminal
        self._host, self._port, self._token = host, port, token
        self._jitter = random.Random(seed)  # noqa: S311 - spreads reconnects, guards nothing
        self._conversation: Conversation | None = None
        self._refusal: str | None = None
        self._stopping = False

    async def run(self) -> None:
        """Dial, talk, and dial again, until cancelled or :meth:`stop`.

        Raises:
            LinkRefused: the daemon refuses the token, and has never let us in before.

        """
        retry_s, was_ever_ready = FIRST_RETRY_S, False
        while not self._stopping:
            wait_s = await self._converse()
            was_ready = self.ready.is_set()
            was_ever_ready = was_ever_ready or was_ready
            if self._refusal is not None and not was_ever_ready:
                raise LinkRefused(self._refusal)
            self.ready.clear()
            if self._stopping:
                return
            retry_s = FIRST_RETRY_S if was_ready else min(retry_s * 2, LAST_RETRY_S)
            pause_s = wait_s if wait_s is not None else retry_s
            await asyncio.sleep(pause_s * self._jitter.uniform(0.75, 1.25))

    async def _converse(self) -> float | None:
        loop = asyncio.get_running_loop()
        try:
            _, conversation = await loop.create_connection(
                lambda: Conversation(self._terminal, self._token, self.ready.set),
                self._host,
                self._port,
            )
        except OSError as error:
            _log.warning("no daemon on %s:%d (%s)", self._host, self._port, error.strerror)
            return None
        self._conversation = conversation
        try:
            result: float | None = await conversation.over
        except asyncio.CancelledError:
            conversation.say_goodbye()
            raise
        finally:
            self._conversation = None
        self._refusal = conversation.refusal
        return result

    def cut(self) -> None:
        """Break the link as a crash does; it comes back by itself."""
        if self._conversation is not None:
            self._conversation.abort()

    def stop(self) -> None:
        """Say goodbye and don't come back."""
        self._stopping = True
        if self._conversation is not None:
            self._conversation.say_goodbye()
