"""Conversation of a peer with the daemon: proof, approval, commands, heartbeats.

A subclass says what a peer tells, and carries commands out. A :class:`DevicePin` remembers the
daemon that let the peer in first.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import cast

from ea_bridge import host
from ea_bridge.commands import TOO_LARGE
from ea_bridge.protocol.codec import MAX_LINE_TO_DAEMON
from ea_bridge.protocol.connection import CLOSED, PENDING, READY, Connection
from ea_bridge.protocol.errors import (
    LineTooLong,
    ProtocolError,
    RemoteProtocolError,
    WrongProof,
)
from ea_bridge.protocol.handshake import NONCE_BYTES, answer_challenge
from ea_bridge.protocol.messages import (
    DENIALS,
    Auth,
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

HEARTBEAT_S = 1.0
MAX_UNSENT = 1_048_576
"""Above so many unsent bytes a peer tells nothing by itself."""
MAX_UNWRITABLE_S = 5.0
GREETING_S = 20.0
"""From our hello to the welcome; a person who is to approve us may take longer."""
DEAD_S = 15.0
"""Silence of a daemon that has not said otherwise."""
LOOK_AGAIN_S = 0.5
"""In which what has waited for us in the socket, while we were held up, is read."""

_log = logging.getLogger(__name__)


class LinkRefused(Exception):
    """The daemon did not let the peer in; the message says why."""


class WrongDevice(LinkRefused):
    """Another daemon than the one that let the peer in first answers, and knows the token."""


class PeerConversation(asyncio.Protocol):
    """One TCP connection to the daemon, from the first byte to the last.

    Args:
        connection: fresh.
        token: the peer's secret.
        pin: which daemon it belongs to.
        on_ready: called when the daemon has let us in.
        on_pending: called when this machine waits for approval, and after each wrong code.

    """

    def __init__(
        self,
        connection: Connection,
        token: str,
        pin: DevicePin,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        self.over: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        """Done when the connection is gone; its result is how long to wait before the next."""
        self.refusal: LinkRefused | None = None
        """Reason for which we were not let in, if that is how it ended."""
        self.replaced = False
        """Another peer has come with our token."""
        self._connection = connection
        self._token = token
        self._pin = pin
        self._on_ready = on_ready
        self._on_pending = on_pending
        self._hello: Hello | None = None
        self._device = ""
        self._transport: asyncio.Transport | None = None
        self._timers: dict[str, asyncio.TimerHandle | asyncio.Handle] = {}
        self._paused = False
        self._retry_s: float | None = None
        self._heard_s = 0.0
        self._dead_s = DEAD_S

    # --- what a peer is --------------------------------------------------------------------

    @abstractmethod
    def _introduce(self, tid: str, cnonce: str) -> Hello:
        """Return the hello."""

    @abstractmethod
    def _obey(self, cmd: Cmd) -> None:
        """Carry a command out, and answer."""

    @abstractmethod
    def _pulse(self, n: int) -> Hb | None:
        """Return the heartbeat that answers ``n``; ``None``: say nothing."""

    def _started(self, welcome: Welcome) -> None:
        """Begin to tell: the daemon listens to us."""

    def _heard(self, hb: Hb) -> None:
        """Note a heartbeat: the daemon is alive."""

    def _lost(self) -> None:
        """Clean up: the link is gone."""

    def _answer_challenge(self, hello: Hello, challenge: Challenge) -> Auth:
        """Prove ourselves, to one who has proved himself.

        Raises:
            WrongProof: he has not.

        """
        return answer_challenge(self._token, hello, challenge)

    # --- the socket ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        # one bound for asyncio's flow control and for what we tell by ourselves
        transport.set_write_buffer_limits(high=MAX_UNSENT, low=MAX_UNSENT // 2)
        self._transport = transport
        self._after("greeting", GREETING_S, self._miss, "did not answer")
        self._hello = self._introduce(parse_token(self._token), host.token_hex(NONCE_BYTES))
        self.say(self._hello)

    def data_received(self, data: bytes) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        try:
            self._hear(data)
        except Exception as error:
            _log.error("the link ends: this peer failed with %s", type(error).__name__)
            _log.debug("where it failed", exc_info=error)
            self.abort()

    def _hear(self, data: bytes) -> None:
        try:
            messages = self._connection.receive_data(data)
        except RemoteProtocolError as error:
            _log.warning("the daemon broke the protocol: %s", error)
            # what was right before the fault still counts: a command may be among it
            self._handle(error.received)
            self.close()
        else:
            self._handle(messages)

    def pause_writing(self) -> None:
        self._paused = True
        # a daemon that does not read for so long would get old prices and answers
        self._after("unwritable", MAX_UNWRITABLE_S, self.abort)

    def resume_writing(self) -> None:
        self._paused = False
        self._cancel("unwritable")

    def connection_lost(self, exc: Exception | None) -> None:
        for name in list(self._timers):
            self._cancel(name)
        self._lost()
        # who waits for it may have been cancelled, and the future with him
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

    @property
    def is_cut(self) -> bool:
        """Whether the link was given up."""
        return self._transport is None or self._transport.is_closing()

    def say_goodbye(self) -> None:
        """Leave in order."""
        if self._transport is not None and not self._transport.is_closing():
            self.say(Bye(code="shutdown"))
            self.close()

    def verify(self, code: str) -> bool:
        """Send the code of the mail; false where nobody waits for one."""
        if self._connection.state is not PENDING:
            return False
        self.say(Verify(code=code))
        return True

    def say(self, *messages: Message) -> None:
        """Say them in one write; nothing once the conversation is over."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._connection.state is CLOSED:
            return  # what we answer came in one read with the daemon's goodbye
        try:
            self._transport.write(b"".join(self._line(m) for m in messages))
        except ProtocolError:
            _log.exception("the peer wanted to break the protocol")
            self.abort()

    def _line(self, message: Message) -> bytes:
        """Return the bytes of a message. What is too long must not cost the link, and with it
        all that the daemon does with this peer: it would ask the same again on the next one.
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
                    self._heard(message)
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
        try:
            auth = self._answer_challenge(self._hello, challenge)
        except WrongProof as error:
            self._turn_away(LinkRefused(str(error)), "proof")
            return
        self._device = challenge.device
        if not self._pin.fits(self._device):
            # with a right proof: a squatter that was approved as a new device, or a daemon that
            # has moved. It gets no proof of ours to pass on
            where = f"delete {self._pin.path}" if self._pin.path else "start this program anew"
            reason = (
                f"the daemon on this port is device {self._device:.128}, but the one that let "
                f"us in first is {self._pin.device}: another program answers, or the daemon "
                f"was moved to another home. If you have moved it, {where}"
            )
            self._turn_away(WrongDevice(reason), "device")
            return
        self.say(auth)

    def _turn_away(self, refusal: LinkRefused, code: str) -> None:
        """Tell whoever answers here nothing at all."""
        _log.error("%s", refusal)
        self.refusal = refusal
        self.say(Bye(code=code))
        self.close()

    def _wait(self, pending: Pending) -> None:
        self._listen()
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
            _log.warning(
                "another peer has linked with our token, so this one stays away: each needs a "
                "token of its own"
            )
            self.replaced = True
        elif bye.code == "approved":
            _log.info("this machine is approved")
            self._retry_s = 0.0
        else:
            _log.info("the daemon said goodbye: %r", bye.code)
        self.close()

    def _give_up(self, denied: Denied) -> None:
        self._retry_s = denied.retry_ms / 1000
        if DENIALS.get(denied.code) is Remedy.WAIT:
            _log.warning(
                "not let in yet: %.256r (%.64r); the next try is in %.0f s",
                denied.reason,
                denied.code,
                self._retry_s,
            )
        else:
            _log.error("the daemon refused the token: %.256r (%.64r)", denied.reason, denied.code)
            self.refusal = LinkRefused(denied.reason)
        self.close()

    def _start(self, welcome: Welcome) -> None:
        # only a welcome pins: whoever merely answers on the port has let nobody in
        self._pin.keep(self._device)
        self._dead_s = welcome.dead_ms / 1000
        self._listen()
        self._started(welcome)
        self._on_ready()
        self._heartbeat()

    # --- whether the daemon is there -----------------------------------------------------------

    def _listen(self) -> None:
        """Find out when it is silent: nobody else tells of a link that broke without a word."""
        self._cancel("greeting")
        self._after("silence", self._dead_s, self._check_silence)

    def _check_silence(self) -> None:
        # one timer that compares, and not a new one for every read
        left_s = self._heard_s + self._dead_s - asyncio.get_running_loop().time()
        if left_s > 0:
            self._after("silence", left_s, self._check_silence)
        else:
            # we may have been held up ourselves: what waits in the socket is read first
            self._after("silence", LOOK_AGAIN_S, self._check_again, self._heard_s)

    def _check_again(self, heard_s: float) -> None:
        if self._heard_s == heard_s:
            self._miss("is silent")
        else:
            self._check_silence()

    def _miss(self, how: str) -> None:
        _log.warning("the daemon %s: the link begins anew", how)
        self.abort()

    # --- what a peer says by itself ----------------------------------------------------------

    def _heartbeat(self) -> None:
        self._beat(0)
        self._after("heartbeat", HEARTBEAT_S, self._heartbeat)

    def _beat(self, n: int) -> None:
        if self._connection.state is PENDING:
            self.say(Hb(n=n))  # of the account nothing is told before we are let in
        elif self._connection.state is READY and (hb := self._pulse(n)) is not None:
            self.say(hb)

    def _after(self, name: str, delay_s: float, act: Callable[..., None], *args: object) -> None:
        self._cancel(name)
        self._timers[name] = asyncio.get_running_loop().call_later(delay_s, act, *args)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


class DevicePin:
    """Id of that daemon's device.

    Another one may know the token too, and prove it: a program on the daemon's port that has
    introduced itself to the console as a new device. Whoever expects a mail may even approve it.
    So a terminal that has been let in once says nothing to any other device.

    Args:
        path: keeps the id between runs; what is there now counts. In memory only if absent.

    Raises:
        OSError: the file is there and cannot be read.
        UnicodeDecodeError: it is no text.

    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.device: str | None = None
        """``None`` before the first welcome."""
        if path is not None and path.exists():
            self.device = path.read_text(encoding="utf-8").strip()

    def fits(self, device: str) -> bool:
        """Tell whether that device may be talked to."""
        return self.device is None or device == self.device

    def keep(self, device: str) -> None:
        """Remember the device that has let us in."""
        if device == self.device:
            return
        self.device = device
        if self.path is None:
            return
        try:
            fresh = self.path.with_name(f"{self.path.name}.new")
            fresh.write_text(f"{device}\n", encoding="utf-8")
            # in one step: half an id would lock out the right daemon
            host.replace_file(fresh, self.path)
        except OSError as error:
            _log.warning("%s is not written, so the next run trusts anew: %s", self.path, error)
