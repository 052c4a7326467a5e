"""Link: one TCP conversation with a terminal, the handshake and then a session.

A line may carry 20,000 ticks, and one read many lines. Taken in one turn they would become as many
events before any client had a chance to read, and clients that read at once would lose their
connections as if they did not; and whoever calls waits meanwhile. So a :class:`MessagePacer` a
link and one :class:`TickTurns` for all of them spread ticks over several turns.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from socket import socket
from typing import Protocol, cast

import msgspec

from ea_bridge import host, sockets
from ea_bridge.mt4_manager.commands import MAX_LINE_TO_MANAGER
from ea_bridge.mt4_manager.session import ManagerCallbacks, ManagerRegistry, ManagerSession
from ea_bridge.protocol.connection import CLOSED, DAEMON, READY, TRANSITIONS, Connection
from ea_bridge.protocol.errors import RemoteProtocolError, WrongProof
from ea_bridge.protocol.handshake import NONCE_BYTES, PROTO, check_auth, make_challenge, negotiate
from ea_bridge.protocol.messages import (
    Auth,
    Bye,
    Challenge,
    Denied,
    Hello,
    Message,
    Ticks,
    Welcome,
)
from ea_bridge.registry import TerminalRegistry
from ea_bridge.session import (
    DEAD_S,
    HEARTBEAT_S,
    WINDOW,
    PeerSession,
    SessionCallbacks,
    TerminalSession,
    TimerHandle,
    Timers,
)
from ea_bridge.token import TokenKeys

from .authorizer import Admitted, Authorizer, NotAdmitted, Relay
from .enrollment import Enrollment, Enrollments

HELLO_S = 3.0
"""From accepting a connection to its ``hello``."""
AUTH_S = 3.0
"""From our ``challenge`` to its ``auth``."""
CLOSE_S = 0.25
"""For last words to leave; then the connection is cut off."""
RETRY_MS = 5000
READ_BYTES = 65_536
"""At once, of one link: parsing ten times as much would hold the loop for 3 ms."""
UNKNOWN = "no such token, or its proof is wrong"
OTHER_ROLE = "this token is not for a peer of that role: a terminal's, or the manager's"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LinkContext:
    """Services and settings that all links of one server share."""

    authorizer: Authorizer
    enrollments: Enrollments | None
    """The way to the console, if there is one."""
    registry: TerminalRegistry
    device_id: str
    callbacks: SessionCallbacks
    managers: ManagerRegistry | None
    """For manager peers; without one each token is a terminal's."""
    manager_callbacks: ManagerCallbacks
    now_ms: Callable[[], int]
    timers: Timers
    turns: TickTurns
    read_buffer: memoryview
    """Of :data:`READ_BYTES`. A read and the parsing of what it brought stand in one callback."""
    dummy_keys: TokenKeys
    """Fit no token: the handshake with an unknown one is led with them."""
    session_ids: Iterator[int]
    command_ids: Iterator[int]
    hello_numbers: Iterator[int]
    """Numbers the connections in the order in which they said hello."""
    on_denied: Callable[[str, str], None]
    welcomed: dict[str, BridgeLink] = field(default_factory=dict)
    """The connection of each terminal that is live."""

    def is_manager(self, terminal: str) -> bool:
        """Whether a token is for a manager peer."""
        return self.managers is not None and self.managers.takes(terminal)


class ConnectionLimiter(Protocol):
    """Limit of open links; the listener keeps it."""

    def enter(self, link: BridgeLink) -> bool:
        """Note a new connection; false if there is no room for it."""

    def keep(self, link: BridgeLink) -> None:
        """Never close it to make room: it has proved who it is, or is being enrolled."""

    def leave(self, link: BridgeLink) -> None:
        """Note that it is gone."""


class BridgeLink(asyncio.BufferedProtocol):
    """One connection of a peer; the :class:`~ea_bridge.session.Wire` of its session."""

    def __init__(self, context: LinkContext, limiter: ConnectionLimiter) -> None:
        self.tid = ""
        """The token that the peer has named; proved once there is a session."""
        self.terminal = ""
        """Whose token that is; the token's own id where nobody knows."""
        self.session: PeerSession | None = None
        self._context = context
        self._number = 0
        """Of its hello, among those of all connections."""
        self._limiter = limiter
        self._connection = Connection(DAEMON)
        self._transport: asyncio.Transport
        self._socket: socket
        self._deadline: TimerHandle | None = None
        self._cut_off: TimerHandle | None = None
        self._hello: Hello | None = None
        self._challenge: Challenge | None = None
        self._snonce = ""
        self._enrollment: Enrollment | None = None
        self._keys = context.dummy_keys
        self._is_denied = False
        self._joined: list[bytes] = []
        """Bytes that leave at the end of this turn of the loop."""
        self._joined_bytes = 0
        self._is_joining = False
        self._is_closing = False
        """Nothing more is said, and what comes is not heard."""
        self._pacer = MessagePacer(context.turns, self._hand_on, self._hold)

    # --- asyncio.BufferedProtocol ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: a terminal has dialled, or a stranger."""
        # uvloop's transports are no subclass
        self._transport = transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
        sockets.tune(self._socket)
        sockets.set_quickack(self._socket)
        if self._limiter.enter(self):
            self._set_deadline(HELLO_S, "no hello in time")
        else:
            self.deny("busy", "too many connections")

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go, and so how many are read at once."""
        return self._context.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in bytes."""
        sockets.set_quickack(self._socket)
        if self._is_closing:
            return  # read all the same: see close()
        try:
            # copied at once: the next link reads into the same buffer
            self._hear(bytes(self._context.read_buffer[:nbytes]))
        except Exception as error:
            # the loop would write a traceback, as often as a stranger likes
            self._break_down(error)

    def _hear(self, data: bytes) -> None:
        try:
            messages = self._connection.receive_data(data)
        except RemoteProtocolError as error:
            self._take(error.received)
            self._fail(str(error))
        else:
            self._take(messages)

    def _break_down(self, error: Exception) -> None:
        """End a link over which we have failed, with one line in the log."""
        failure = type(error).__name__
        logger.error("a link of terminal %r ended: we failed with %s", self.terminal, failure)
        logger.debug("where we failed", exc_info=error)
        if self.session is not None:
            self.session.end("the gateway failed")
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the connection is gone, whoever ended it."""
        self._limiter.leave(self)
        self._pacer.flush()  # what came before the end still counts
        if self.session is not None:
            self.session.end("the link was lost")
        if self._context.welcomed.get(self.terminal) is self:
            del self._context.welcomed[self.terminal]
        if self._enrollment is not None:
            self._enrollment.end()
        for timer in (self._deadline, self._cut_off):
            if timer is not None:
                timer.cancel()

    # --- Wire ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Hand bytes to the kernel, now."""
        if self._is_closing:
            return
        if self._joined:
            data = b"".join((*self._joined, data))
            self._joined.clear()
            self._joined_bytes = 0
        self._transport.write(data)

    def write_soon(self, data: bytes) -> None:
        """Write the first bytes of a turn of the loop at once, and all later ones together at its
        end.
        """
        if self._is_closing:
            return
        if self._is_joining:
            self._joined.append(data)
            self._joined_bytes += len(data)
            return
        self._is_joining = True
        asyncio.get_running_loop().call_soon(self._end_turn)
        self._transport.write(data)

    def _end_turn(self) -> None:
        self._is_joining = False
        if self._joined and not self._transport.is_closing():
            self.write(b"")

    def unsent(self) -> int:
        """Return how many bytes the kernel has not taken yet."""
        return self._transport.get_write_buffer_size() + self._joined_bytes

    def flush(self) -> None:
        """Hand on now what was read and waits for its turn."""
        self._pacer.flush()

    def close(self) -> None:
        """Send what is unsent, and say no more; cut it off after :data:`CLOSE_S`.

        A peer that is live or waits for approval speaks on until it has read the goodbye. A socket
        that is closed meanwhile is reset, and the goodbye lost: so it is read until the peer
        closes. A stranger says nothing more by itself, and gets no time.
        """
        if self._enrollment is not None:
            self._enrollment.end()
        if self._cut_off is not None:
            return
        self._end_turn()
        self._cut_off = self._context.timers.call_later(CLOSE_S, self._transport.abort)
        if self.session is None and not (self._enrollment and self._enrollment.is_waiting):
            self._transport.close()
            return
        self._is_closing = True
        try:
            self._transport.resume_reading()
            self._transport.write_eof()
        except OSError:  # the peer has gone already
            self._transport.abort()

    def cut_off(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    # --- PendingPeer ---------------------------------------------------------------------

    def challenge(self, proof: str) -> None:
        """Send the challenge with the console's proof."""
        said = {"proto": PROTO, "snonce": self._snonce, "device": self._context.device_id}
        self._challenge = msgspec.convert({**said, "proof": proof}, Challenge)
        self.say(self._challenge)

    def say(self, message: Message) -> None:
        """Say something, unless this conversation is over."""
        if self._connection.state is not CLOSED:
            self.write(self._connection.send(message))

    def admit(self, admitted: Admitted, auth: Auth) -> None:
        """Go on as with any token that is known here: its keys check the EA's proof."""
        self._enrollment = None
        self._keys = admitted.keys
        if self._connection.state is not CLOSED:
            self._authenticate(auth)

    def deny(self, code: str, reason: str, retry_ms: int = RETRY_MS) -> None:
        """Say ``denied`` and close; where the EA has yet to prove itself, without a word."""
        self._note_denial(code)
        denied = Denied(code=code, reason=reason, retry_ms=retry_ms)
        if (DAEMON, self._connection.state, Denied) in TRANSITIONS:
            logger.info("a terminal was denied: %s", code)
            self.write(self._connection.send(denied))
        self.close()

    # --- the conversation ----------------------------------------------------------------

    def say_bye(self, code: str) -> None:
        """Say ``bye`` and close, with the session or without.

        An EA that does not read gets nothing any more: what waits for it may be orders.
        """
        self._pacer.flush()
        self._end_turn()  # what waits for the end of the turn is not what the EA does not read
        if self.unsent():  # it does not read, so the bye would not leave either
            if self.session is not None:
                self.session.end(code)
            self.cut_off()
            return
        if self.session is not None:
            self.session.close(code)
        elif self._connection.state is not CLOSED:
            self.write(self._connection.send(Bye(code=code)))
        self.close()

    def _take(self, messages: list[Message]) -> None:
        if self.session is not None:
            self._pacer.feed(messages)
            return
        for message in messages:
            if isinstance(message, Bye):
                logger.info("a terminal left before welcome: %.64r", message.code)
                self.close()
            elif self._connection.state is CLOSED:
                continue  # a bye follows in the same data: no answer is wanted any more
            elif isinstance(message, Hello):
                self._greet(message)
            elif self._enrollment is not None:
                self._enrollment.handle(message)
            elif isinstance(message, Auth):
                self._authenticate(message)

    def _hand_on(self, messages: list[Message]) -> None:
        try:
            if self.session is not None:
                self.session.handle(messages)
        except Exception as error:
            self._break_down(error)

    def _hold(self, held: bool) -> None:
        """Read nothing, so that the terminal waits with what it has to say; or read again."""
        if not self._transport.is_closing():
            (self._transport.pause_reading if held else self._transport.resume_reading)()

    def _greet(self, hello: Hello) -> None:
        self._hello = hello
        self._number = next(self._context.hello_numbers)
        self.tid = hello.tid
        if negotiate(hello.proto) is None:
            self.deny("proto", f"this daemon does not speak the versions {hello.proto}")
            return
        if hello.link != "ea":
            self.deny("proto", "this daemon takes one link a terminal, from its EA")
            return
        verdict = self._context.authorizer.admit(hello)
        self.terminal = verdict.terminal or hello.tid
        if isinstance(verdict, Relay):
            if self._context.enrollments is not None:
                self._introduce(hello, self._context.enrollments)
                return
            verdict = NotAdmitted(code="unknown", reason=UNKNOWN)
        if isinstance(verdict, NotAdmitted):
            self._note_denial(verdict.code)  # an EA whose token is unknown hangs up by itself
        # with keys that fit nothing the steps are the same: nobody can find out which tokens exist
        self._keys = verdict.keys or self._context.dummy_keys
        nonce = host.token_hex(NONCE_BYTES)
        self._challenge = make_challenge(self._keys, hello, nonce, self._context.device_id)
        self.write(self._connection.send(self._challenge))
        self._set_deadline(AUTH_S, "no auth in time")

    def _note_denial(self, code: str) -> None:
        """Report once that this terminal is not let in."""
        if not self._is_denied:
            # once: a wrong proof of a token that is not admitted comes this way twice
            self._is_denied = True
            self._context.on_denied(self.tid, code)

    def _introduce(self, hello: Hello, enrollments: Enrollments) -> None:
        # the way to the console has a deadline of its own
        if self._deadline is not None:
            self._deadline.cancel()
        self._snonce = host.token_hex(NONCE_BYTES)
        self._enrollment = enrollments.begin(self, hello, self._snonce)
        if self._enrollment is None:
            self.deny("busy", "too many terminals are being introduced to the console")
        else:
            self._limiter.keep(self)

    def _authenticate(self, auth: Auth) -> None:
        assert self._hello is not None  # auth follows hello and
        assert self._challenge is not None  # challenge: the table says so
        try:
            check_auth(self._keys, self._hello, self._challenge, auth)
        except WrongProof:
            self.deny("unknown", UNKNOWN)
            return
        # asked again: the token may have been revoked while the proof was under way
        verdict = self._context.authorizer.admit(self._hello)
        if isinstance(verdict, NotAdmitted):
            self.deny(verdict.code, verdict.reason, verdict.retry_ms)
        elif isinstance(verdict, Relay):
            self.deny("busy", "the token's record is not here yet")
        elif verdict.keys != self._keys:
            self.deny("unknown", UNKNOWN)  # the token was replaced: the proof is of the old one
        elif (self._hello.role == "manager") != self._context.is_manager(verdict.terminal):
            self.deny("proto", OTHER_ROLE)
        elif self._is_outrun(verdict.terminal):
            self.deny("busy", "a later connection of this terminal is live")
        else:
            self._welcome(self._hello, verdict)

    def _is_outrun(self, terminal: str) -> bool:
        """Whether a connection that said hello later is live.

        The EA has given this one up, whose bytes were held up on their way. Let in, it would
        have the live one told that it is replaced, and the EA stay away for minutes.
        """
        live = self._context.welcomed.get(terminal)
        return live is not None and live._number > self._number

    def _welcome(self, hello: Hello, admitted: Admitted) -> None:
        context = self._context
        if self._deadline is not None:
            self._deadline.cancel()
        welcome = Welcome(
            session=f"s-{next(context.session_ids)}",
            hb_ms=round(HEARTBEAT_S * 1000),
            dead_ms=round(DEAD_S * 1000),
            ack=context.registry.resume_point(admitted.terminal, hello),
            window=WINDOW,
            time=context.now_ms(),
            sent=host.boot_ms() if context.is_manager(admitted.terminal) else 0,
        )
        # written before the registry knows the session: nobody's command can come first
        self.write(self._connection.send(welcome))
        self.terminal = admitted.terminal
        self.session = self._begin(welcome.session, hello, admitted)
        context.welcomed[self.terminal] = self
        # a proved peer is never the one that makes room
        self._limiter.keep(self)
        if isinstance(self.session, TerminalSession):
            context.registry.join(self.session)
        elif isinstance(self.session, ManagerSession) and context.managers is not None:
            context.managers.join(self.session)
        self.session.start()
        logger.info("terminal %s is live: session %s", self.terminal, self.session.id)

    def _begin(self, id_: str, hello: Hello, admitted: Admitted) -> PeerSession:
        context = self._context
        if context.is_manager(admitted.terminal):
            self._connection.max_line_to_peer = MAX_LINE_TO_MANAGER
            return ManagerSession(
                terminal=admitted.terminal,
                generation=admitted.generation,
                id=id_,
                hello=hello,
                connection=self._connection,
                wire=self,
                timers=context.timers,
                command_ids=context.command_ids,
                callbacks=context.manager_callbacks,
            )
        return TerminalSession(
            terminal=admitted.terminal,
            generation=admitted.generation,
            id=id_,
            hello=hello,
            connection=self._connection,
            wire=self,
            timers=context.timers,
            command_ids=context.command_ids,
            callbacks=context.callbacks,
        )

    def _fail(self, reason: str) -> None:
        """Cut off a peer that broke the protocol: nothing more is said to it."""
        self._pacer.flush()
        level = logging.WARNING if self.session is not None else logging.INFO
        logger.log(
            level, "a link of terminal %r broke the protocol: %.256s", self.terminal, reason
        )
        if self.session is not None:
            self.session.end("the terminal broke the protocol")
        self._transport.abort()

    def _set_deadline(self, seconds: float, reason: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._context.timers.call_later(seconds, self._expire, reason)

    def _expire(self, reason: str) -> None:
        if self._connection.state is not READY:
            # info, not a warning: strangers on the port may do this all day
            logger.info("a link was closed: %s", reason)
            self._transport.abort()


MAX_TICKS = 128
"""In one turn, of all links: their events are less than the kernel takes for one client, and with
a hundred clients they hold the loop for less than 5 ms."""
PIECE_TICKS = 32
"""Of a long line; so much over :data:`MAX_TICKS` a turn may be."""


class TickTurns:
    """Limit of ticks: in one turn of the loop all links hand on :data:`MAX_TICKS` at most.

    Links that have more wait in a queue and hand on piece by piece, one after the other: a flood
    of one delays the ticks of another by a turn or two.

    Args:
        timers: of the loop.
    """

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._left = MAX_TICKS
        self._waiting: deque[MessagePacer] = deque()
        self._timer: TimerHandle | None = None

    def may_pass(self, ticks: int) -> bool:
        """Tell whether a link may hand on, now, what it has just read; then they are counted."""
        # who waits already goes first: else a flood in short reads would always overtake it
        if self._waiting or ticks > self._left:
            return False
        self._left -= ticks
        self._begin_next()
        return True

    def wait(self, pacer: MessagePacer) -> None:
        """Give a link turns from now on, until it has handed on all it has."""
        self._waiting.append(pacer)
        self._begin_next()

    def leave(self, pacer: MessagePacer) -> None:
        """Give a link no turn any more."""
        if pacer in self._waiting:
            self._waiting.remove(pacer)

    def _begin_next(self) -> None:
        if self._timer is None:
            # in another turn of the loop: clients can read in between
            self._timer = self._timers.call_later(0.0, self._next)

    def _next(self) -> None:
        self._timer = None
        self._left = MAX_TICKS
        while self._waiting and self._left > 0:
            pacer = self._waiting.popleft()
            ticks, has_more = pacer.hand_on()
            self._left -= ticks
            if has_more:
                self._waiting.append(pacer)
        if self._waiting:
            self._begin_next()


class MessagePacer:
    """Pacer of one link, that hands messages on in their order and in their turns.

    Args:
        turns: of all links.
        take: who gets the messages.
        hold: called when more has to wait, with true, and with false when nothing waits any more:
            what is not read meanwhile waits in the terminal.

    """

    def __init__(
        self,
        turns: TickTurns,
        take: Callable[[list[Message]], None],
        hold: Callable[[bool], None],
    ) -> None:
        self._turns = turns
        self._take = take
        self._hold = hold
        self._waiting: deque[list[Message]] = deque()

    def feed(self, messages: list[Message]) -> None:
        """Hand on what may be handed on now; the rest follows by itself."""
        if not self._waiting:
            ticks = _count(messages)
            # nearly always: nothing waits, so all goes on as it came
            if not ticks or self._turns.may_pass(ticks):
                self._take(messages)
                return
            self._hold(True)
            self._turns.wait(self)
        self._waiting.extend(_cut(messages))

    def hand_on(self) -> tuple[int, bool]:
        """Hand on the next piece; return how many ticks it had, and whether another one waits."""
        piece = self._waiting.popleft()
        self._take(piece)  # what it says may end the link, which then hands on all the rest
        if not self._waiting:
            self._hold(False)
        return _count(piece), bool(self._waiting)

    def flush(self) -> None:
        """Hand all on now: the conversation is over, and what was said still counts."""
        self._turns.leave(self)
        while self._waiting:
            self._take(self._waiting.popleft())


def _count(messages: list[Message]) -> int:
    ticks = 0
    for message in messages:
        if isinstance(message, Ticks):
            ticks += len(message.d)
    return ticks


def _cut(messages: list[Message]) -> list[list[Message]]:
    """Return the messages in pieces; a long line of ticks becomes several messages."""
    pieces: list[list[Message]] = [[]]
    room = PIECE_TICKS
    for message in messages:
        if not isinstance(message, Ticks):
            pieces[-1].append(message)
            continue
        at, count = 0, len(message.d)
        while count - at > room:
            if room:
                pieces[-1].append(msgspec.structs.replace(message, d=message.d[at : at + room]))
            at, room = at + room, PIECE_TICKS
            pieces.append([])
        pieces[-1].append(msgspec.structs.replace(message, d=message.d[at:]) if at else message)
        room -= count - at
    return pieces
