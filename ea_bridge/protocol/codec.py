"""Translate between bytes, lines of bounded length and messages.

Decoding is typed and happens once: a line that lacks what its message must have, or has it in
another type, is unreadable. NaN and infinities don't exist in JSON and are refused both ways.

The prices of ticks cross the wire as text and reach clients as they are: they are spliced into
JSON unparsed. Text that is no plain JSON number would make every subscriber's frame invalid, or
carry something else altogether, so each is checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec

from ea_bridge.commands import COMMANDS, Command
from ea_bridge.model.struct import Struct

from .errors import LocalProtocolError, RemoteProtocolError, UnreadableLine
from .messages import Cmd, Hello, Message, Ticks

MAX_LINE_TO_EA = 16 * 1024
MAX_LINE_TO_DAEMON = 1024 * 1024
MAX_GREETING = 4 * 1024
"""Longest line that a daemon takes from someone who has not proved who he is."""

_OPENING = ord("{")
_BLOB = b"#"


class LineReader:
    """Reader that cuts incoming bytes into lines; its cost is linear in the data.

    A conversation opens with ``{``, so that a stranger who speaks HTTP or TLS on this port is
    known by his first byte and can't make us read on.

    Args:
        max_size: longest line in bytes, without its end; may be changed between two feeds.
    """

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size
        self._tail = bytearray()
        self._opened = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add ``data`` and yield the lines that it completes, without their ends.

        Raises:
            RemoteProtocolError: a line is too long, or no line of this protocol.

        """
        if not self._opened and data:
            self._check_opening(data[0])
        *ended, tail = data.split(b"\n")
        if ended and self._tail:
            self._keep(ended[0])
            ended[0] = bytes(self._tail)
            self._tail.clear()
        for piece in ended:
            yield self._line(piece)
        if tail:
            self._keep(tail)

    def _check_opening(self, byte: int) -> None:
        if byte != _OPENING:
            reason = f"the conversation opens with byte {byte:#04x}: it is not the bridge's"
            raise RemoteProtocolError(reason)
        self._opened = True

    def _line(self, piece: bytes) -> bytes:
        line = piece.removesuffix(b"\r")
        self._check_size(len(line))
        if line.startswith(_BLOB):
            raise RemoteProtocolError("a blob was announced, which nobody has agreed on")
        return line

    def _keep(self, piece: bytes) -> None:
        self._tail += piece
        # before the line ends: an endless one is noticed as soon as it is too long
        self._check_size(len(self._tail) - self._tail.endswith(b"\r"))

    def _check_size(self, size: int) -> None:
        if size > self.max_size:
            raise RemoteProtocolError(f"a line of {size} bytes or more exceeds {self.max_size}")


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
Commands = Mapping[str, Command[Any, Any]]
_TAGS = frozenset(kind.__struct_config__.tag for kind in get_args(Message))
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


class _Tag(msgspec.Struct):
    t: str


_tag_decoder = msgspec.json.Decoder(_Tag)


class Decoder:
    """Decoder of lines to messages, for one conversation.

    Args:
        commands: what we can be asked, by op.

    """

    def __init__(self, commands: Commands = COMMANDS) -> None:
        self._commands = commands
        self._prices = PriceCheck()

    def decode(self, line: bytes) -> Message | None:
        """Return the message, or ``None`` where its ``t`` is one we don't know yet.

        Raises:
            UnreadableLine: the line is no message.

        """
        try:
            message = _decoder.decode(line)
        except _UNREADABLE as error:
            _raise_unless_unknown(line, error)
            return None
        if isinstance(message, Ticks):
            self._prices.check(message)
        elif isinstance(message, Cmd):
            return self._with_params(message, line)
        return message

    def _with_params(self, cmd: Cmd, line: bytes) -> Cmd:
        params: Struct | msgspec.UnsetType = msgspec.UNSET
        command = self._commands.get(cmd.op)
        if command is not None:
            try:
                params = command.params_decoder.decode(line)
            except _UNREADABLE:
                # answered with 4003: the line itself was right, so the link lives on
                params = msgspec.UNSET
        return msgspec.structs.replace(cmd, params=params)


def encode(message: Message) -> bytes:
    """Return the line that says ``message``, without its end, as UTF-8.

    Raises:
        LocalProtocolError: the message cannot be said.

    """
    try:
        return _command(message) if isinstance(message, Cmd) else _encoder.encode(message)
    except UnicodeEncodeError:
        raise LocalProtocolError("a text has half a surrogate pair") from None


def escape(line: bytes) -> bytes:
    """Return the same JSON in ASCII alone, which is what an EA's parser takes."""
    if line.isascii():
        return line
    return _BEYOND_ASCII.sub(_escaped, line.decode()).encode("ascii")


def count_unknown(line: bytes, kind: type[Hello]) -> int:
    """Return how many members of the object are not of the message: a newer peer's.

    Raises:
        UnreadableLine: a name is no text, which the decoder of messages does not look at.

    """
    try:
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except _UNREADABLE as error:
        raise UnreadableLine("a member's name is no text", "hello") from error
    return len(members.keys() - {*kind.__struct_encode_fields__, "t"})


def _raise_unless_unknown(line: bytes, error: Exception) -> None:
    """Tell a line that is no message from an unknown kind of message, which is allowed."""
    try:
        tag = _tag_decoder.decode(line).t
    except _UNREADABLE:
        raise UnreadableLine("a line is not an object with a t") from error
    # a known kind with wrong members is a fault; an unknown kind is a newer peer's
    if tag in _TAGS:
        raise UnreadableLine(f"a {tag} is malformed: {error}", tag) from error


def _command(cmd: Cmd) -> bytes:
    """Return the line of a command: on the wire its params lie beside its own members."""
    if cmd.params is msgspec.UNSET:
        raise LocalProtocolError(f"{cmd.op} needs its params")
    line = _encoder.encode(cmd)
    # a null is a member without a value, or a NaN; or it stands in a text, which is rare
    if b"null" in line:
        return _encoder.encode(_flat(cmd, cmd.params))
    # quotes within texts are escaped, so that this is found nowhere else
    head, _, params = line.partition(b',"params":{')
    return head + (params[:-1] if params == b"}}" else b"," + params[:-1])


def _flat(cmd: Cmd, params: Struct) -> dict[str, Any]:
    flat: dict[str, Any] = {"t": "cmd", "id": cmd.id, "op": cmd.op}
    if cmd.ttl:
        flat["ttl"] = cmd.ttl
    if cmd.sent:
        flat["sent"] = cmd.sent
    kind = type(params)
    for member, name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        value = getattr(params, member)
        # JSON has no NaN, and msgspec would write null: another command
        if isinstance(value, float) and not math.isfinite(value):
            raise LocalProtocolError(f"{name} of {cmd.op} is {value}")
        # left out and never null: an EA reads what is absent as not given
        if value is not None:
            flat[name] = value
    return flat


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


MAX_DIGITS = 15
"""Significant digits that a double keeps through text and back."""
MAX_PRICE_LENGTH = 24
MAX_KNOWN_PRICES = 8192

_PRICE = re.compile(
    rf"""-?(?:
        0\.0*[0-9]{{1,{MAX_DIGITS}}}
      | (?=[0-9.]{{3,{MAX_DIGITS + 1}}}\Z) [1-9][0-9]* \.[0-9]+
      | 0
      | [1-9][0-9]{{0,{MAX_DIGITS - 1}}}
    )""",
    re.VERBOSE | re.ASCII,
)


def is_price(text: str) -> bool:
    """Tell whether ``text`` is a JSON number without exponent, of at most 15 digits."""
    return len(text) <= MAX_PRICE_LENGTH and _PRICE.fullmatch(text) is not None


class PriceCheck:
    """Check that remembers the texts that have passed: prices repeat, and it is six times
    cheaper."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def check(self, ticks: Ticks) -> None:
        """Raise :class:`UnreadableLine` unless every price is a price."""
        known = self._known
        for row in ticks.d:
            if row[2] not in known:
                self._learn(row[2])
            if row[3] not in known:
                self._learn(row[3])

    def _learn(self, text: str) -> None:
        if not is_price(text):
            raise UnreadableLine("a price is not a plain number", "ticks")
        # bounded: a peer that makes up prices fills no memory
        if len(self._known) >= MAX_KNOWN_PRICES:
            self._known.clear()
        self._known.add(text)
