"""Violations of the bridge's protocol.

* ProtocolError
    * LocalProtocolError: we tried to send what the protocol forbids; our bug
        * LineTooLong: a message that we may send, but not of that length
    * RemoteProtocolError: the peer sent what the protocol forbids; close the link
        * UnreadableLine: a line that is no message; ten of them in a row close the link
        * WrongProof: the peer does not know the token
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Message


class ProtocolError(Exception):
    """Base class; catch it, don't raise it."""


class LocalProtocolError(ProtocolError):
    """We tried to break the protocol."""


class LineTooLong(LocalProtocolError):
    """A message has more bytes than a line may have; nothing was said, and the link goes on."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a line of {size} bytes exceeds {limit}")
        self.limit = limit


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.received: list[Message] = []
        """Messages that were right in the same data, before the peer broke the protocol.

        A trade's result may be among it, so it has to be handled before the link is closed.
        """


class UnreadableLine(RemoteProtocolError):
    """The line is no message. ``tag`` is its ``t``, as far as that could be read."""

    def __init__(self, reason: str, tag: str = "") -> None:
        super().__init__(reason)
        self.tag = tag


class WrongProof(RemoteProtocolError):
    """The peer could not prove that it knows the token."""
