"""Cut a stream of bytes into lines of bounded length."""

from __future__ import annotations

from collections.abc import Iterator

from .errors import RemoteProtocolError

MAX_LINE_TO_EA = 16 * 1024
MAX_LINE_TO_DAEMON = 1024 * 1024
MAX_GREETING = 4 * 1024
"""Longest line that a daemon takes from someone who has not proved who he is."""

_OPENING = ord("{")
_BLOB = b"#"


class LineReader:
    """Incremental and linear in the data, however it is cut.

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
