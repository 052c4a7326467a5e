"""State machine of one conversation between a terminal and the daemon.

Theory of operation
===================

Who may say what, and when, is one table. It doesn't know which side we are, so that we can't
hold ourselves and the peer to different rules; what isn't in it is forbidden. Both ends walk
through the same states::

    IDLE -hello-> GREETED -challenge-> CHALLENGED -auth-> AUTHENTICATING -welcome-> READY -> CLOSED
                                                            -pending-> PENDING ----------------^

A terminal whose machine waits for approval stays connected, in PENDING: both sides show that they
are alive, and it may ``verify`` the code of a mail. From there is no way to READY: when the
approval comes the daemon says ``bye: approved`` and the terminal dials again. By then the daemon
has the token's keys, so whoever becomes READY has just given a fresh proof to this very daemon,
and says of itself what is true now, not what was minutes ago.

Someone who has said his last word (``bye``, ``denied``) no longer listens: what the peer had on
the way by then is discarded.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import get_args

from ea_bridge.commands import COMMANDS

from . import codec
from .codec import MAX_GREETING, MAX_LINE_TO_DAEMON, MAX_LINE_TO_EA, LineReader
from .errors import LineTooLong, LocalProtocolError, RemoteProtocolError, UnreadableLine
from .messages import (
    Ack,
    Auth,
    Busy,
    Bye,
    Challenge,
    Cmd,
    Denied,
    Event,
    Hb,
    Hello,
    Lost,
    Message,
    Pending,
    Res,
    Verify,
    Welcome,
)

MAX_UNREADABLE = 10
"""So many unreadable lines in a row close the link: of any kind, or of one kind among good ones
of other kinds (an EA that sends bad prices between good heartbeats)."""


class ConversationRole(enum.Enum):
    """A side of the conversation."""

    # Enum's own is a function in Python, and the table of transitions is asked at each message
    __hash__ = object.__hash__

    TERMINAL = enum.auto()
    DAEMON = enum.auto()

    @property
    def peer(self) -> ConversationRole:
        """The other side."""
        return (
            ConversationRole.DAEMON
            if self is ConversationRole.TERMINAL
            else ConversationRole.TERMINAL
        )


class ConversationState(enum.Enum):
    """States of the conversation."""

    __hash__ = object.__hash__

    IDLE = enum.auto()
    GREETED = enum.auto()
    CHALLENGED = enum.auto()
    AUTHENTICATING = enum.auto()
    PENDING = enum.auto()
    READY = enum.auto()
    CLOSED = enum.auto()


TERMINAL, DAEMON = ConversationRole.TERMINAL, ConversationRole.DAEMON
IDLE, GREETED, CHALLENGED, AUTHENTICATING = (
    ConversationState.IDLE,
    ConversationState.GREETED,
    ConversationState.CHALLENGED,
    ConversationState.AUTHENTICATING,
)
PENDING, READY, CLOSED = (
    ConversationState.PENDING,
    ConversationState.READY,
    ConversationState.CLOSED,
)
_OPEN = tuple(state for state in ConversationState if state is not CLOSED)
_EVENTS: tuple[type[Event], ...] = get_args(Event)

TRANSITIONS: dict[tuple[ConversationRole, ConversationState, type[Message]], ConversationState] = {
    (TERMINAL, IDLE, Hello): GREETED,
    (DAEMON, GREETED, Challenge): CHALLENGED,
    (TERMINAL, CHALLENGED, Auth): AUTHENTICATING,
    (DAEMON, AUTHENTICATING, Welcome): READY,
    (DAEMON, AUTHENTICATING, Pending): PENDING,
    (DAEMON, PENDING, Pending): PENDING,
    (DAEMON, PENDING, Hb): PENDING,
    (TERMINAL, PENDING, Hb): PENDING,
    (TERMINAL, PENDING, Verify): PENDING,
    # a refusal may come before the hello: the daemon has no room
    **{(DAEMON, state, Denied): CLOSED for state in (IDLE, GREETED, AUTHENTICATING, PENDING)},
    (DAEMON, READY, Cmd): READY,
    (DAEMON, READY, Hb): READY,
    (TERMINAL, READY, Ack): READY,
    (TERMINAL, READY, Res): READY,
    (TERMINAL, READY, Hb): READY,
    (TERMINAL, READY, Busy): READY,
    **{(TERMINAL, READY, event): READY for event in _EVENTS},
    **{(role, state, Bye): CLOSED for role in ConversationRole for state in _OPEN},
}


@dataclass
class Counters:
    """Counts of unknown messages and unreadable lines, which do not end the connection."""

    unknown: int = 0
    """Messages and members of hello that we don't know: a newer peer's."""
    unreadable: int = 0
    """Lines that are no message."""


class Connection:
    """One conversation, from our side of the wire.

    Args:
        role: the side we play; the peer plays the other.
        commands: what we can be asked, as a terminal or as a manager peer.
        max_line: longest line to us as one of these.

    """

    def __init__(
        self,
        role: ConversationRole,
        *,
        commands: codec.Commands = COMMANDS,
        max_line: int = MAX_LINE_TO_EA,
    ) -> None:
        self.role = role
        self._peer = role.peer
        self.state = IDLE
        self.counters = Counters()
        self.events = EventSequence(0)
        """Count of the terminal's events that have come; starts anew with ``welcome.ack``."""
        self.max_line_to_peer = MAX_LINE_TO_EA if role is DAEMON else MAX_LINE_TO_DAEMON
        """Longest line that we may say; a daemon may say longer ones to who is no EA."""
        # short lines until there is a proof: a stranger cannot make us hold a megabyte
        self._lines = LineReader(MAX_GREETING if role is DAEMON else max_line)
        self._decoder = codec.Decoder(commands)
        self._in_a_row: dict[str, int] = {}

    def send(self, message: Message) -> bytes:
        """Return the bytes that say ``message``.

        Raises:
            LocalProtocolError: we may not say that now.
            LineTooLong: it is too long; the conversation is where it was.

        """
        state = self._next_state(self.role, message)
        if state is None:
            raise LocalProtocolError(self._forbidden(self.role, message))
        line = codec.encode(message)
        if self.role is DAEMON:
            line = codec.escape(line)
        if len(line) > self.max_line_to_peer:
            raise LineTooLong(len(line), self.max_line_to_peer)
        # last: what could not be said leaves the conversation where it was
        self.state = state
        if isinstance(message, Welcome):
            self._lines.max_size = MAX_LINE_TO_DAEMON
            self.events = EventSequence(message.ack)
        return line + b"\n"

    def receive_data(self, data: bytes) -> list[Message]:
        """Return the messages that ``data`` completes.

        A gap in the terminal's events is reported as a :class:`~.messages.Lost` in its place;
        an event that was taken before is dropped.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the conversation is over. What it
                had said before that is in the error's ``received``.

        """
        received: list[Message] = []
        if self.state is CLOSED:
            return received
        try:
            for line in self._lines.feed(data):
                message = self._read(line)
                if message is not None:
                    received += self._heard(message)
                if self.state is CLOSED:
                    break
        except RemoteProtocolError as error:
            self.state = CLOSED
            error.received = received
            raise
        return received

    def _read(self, line: bytes) -> Message | None:
        try:
            message = self._decoder.decode(line)
            if isinstance(message, Hello):
                self.counters.unknown += codec.count_unknown(line, Hello)
        except UnreadableLine as error:
            self._put_up_with(error)
            return None
        if message is None:
            self.counters.unknown += 1
        if self._in_a_row:
            self._forgive(message)
        return message

    def _put_up_with(self, error: UnreadableLine) -> None:
        self.counters.unreadable += 1
        # of any kind and of its own: good heartbeats do not make up for bad prices
        for kind in {"", error.tag}:
            self._in_a_row[kind] = self._in_a_row.get(kind, 0) + 1
            if self._in_a_row[kind] >= MAX_UNREADABLE:
                reason = f"{MAX_UNREADABLE} unreadable lines in a row; the last: {error}"
                raise RemoteProtocolError(reason) from error

    def _forgive(self, message: Message | None) -> None:
        self._in_a_row.pop("", None)
        if message is not None:
            self._in_a_row.pop(str(message.__struct_config__.tag), None)

    def _heard(self, message: Message) -> list[Message]:
        state = self._next_state(self._peer, message)
        if state is None:
            raise RemoteProtocolError(self._forbidden(self._peer, message))
        self.state = state
        if isinstance(message, _EVENTS):
            return self.events.take(message)
        return [message]

    def _next_state(self, role: ConversationRole, message: Message) -> ConversationState | None:
        return TRANSITIONS.get((role, self.state, type(message)))

    def _forbidden(self, role: ConversationRole, message: Message) -> str:
        said = type(message).__name__
        return f"{role.name} can't say {said} when {self.state.name}"


class EventSequence:
    """Counter of the events of one EA's run that have been taken.

    Args:
        last: the last one taken before, as said in ``welcome.ack``.

    """

    def __init__(self, last: int) -> None:
        self.last = last
        self.replayed = 0
        """Events that came again and were dropped."""
        self.gaps = 0
        """Events missing, as far as the numbers tell."""
        self._resumes_anywhere = False

    def take(self, event: Event) -> list[Message]:
        """Return what to hand on: nothing for a replay, and what was lost before a gap."""
        # the EA has dropped events itself and says so: the next number may be any
        if isinstance(event, Lost):
            self._resumes_anywhere = True
            return [event]
        # not counted: it is not missed when it is lost
        if event.q == 0:
            return [event]
        if event.q != self.last + 1 and not self._resumes_anywhere:
            if event.q <= self.last:
                # told again after a reconnect, whose ack had not arrived
                self.replayed += 1
                return []
            return [self._gap_before(event.q), event]
        self.last, self._resumes_anywhere = event.q, False
        return [event]

    def _gap_before(self, q: int) -> Lost:
        start, self.last = self.last + 1, q
        self.gaps += q - start
        return Lost(start=start, until=q)
