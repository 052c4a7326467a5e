"""Frames: the heads of a client's, control frames as a server sends them, codes of closing."""

from __future__ import annotations

import enum


class CloseCode(enum.IntEnum):
    """Reasons that a connection ends for. 4000 to 4499: connect again; 4500 and more: don't."""

    NORMAL = 1000
    GOING_AWAY = 1001
    BAD_FRAME = 1002
    BINARY = 1003
    BAD_TEXT = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SLOW_CONSUMER = 4000
    HEARTBEAT_TIMEOUT = 4001
    RATE_LIMITED = 4003
    INSUFFICIENT_STATE = 4004
    AUTH_TIMEOUT = 4500
    AUTH_FAILED = 4501
    PROTOCOL_ERROR = 4502
    UNSUPPORTED_VERSION = 4503
    CONNECTION_LIMIT = 4504
    REPLACED = 4505
    TOKEN_REVOKED = 4506

    @property
    def meaning(self) -> str:
        """Sentence for people."""
        return _MEANINGS[self]


_MEANINGS = {
    CloseCode.NORMAL: "You have closed it, or said logout.",
    CloseCode.GOING_AWAY: "The gateway goes down; server_shutdown came before.",
    CloseCode.BAD_FRAME: "A frame was not masked, or spelt its length at length.",
    CloseCode.BINARY: "A message was binary: send text.",
    CloseCode.BAD_TEXT: "A message was not UTF-8.",
    CloseCode.TOO_BIG: "A message was over limits.max_message_bytes, or in too many fragments.",
    CloseCode.INTERNAL_ERROR: "The gateway failed; its log says why.",
    CloseCode.SLOW_CONSUMER: "You read too slowly: more waited than limits allow.",
    CloseCode.HEARTBEAT_TIMEOUT: "You did not answer a ping of the WebSocket within 7.5 seconds.",
    CloseCode.RATE_LIMITED: "You sent more than 200 pings and pongs between two pings of ours.",
    CloseCode.INSUFFICIENT_STATE: "You have missed events: connect and subscribe anew.",
    CloseCode.AUTH_TIMEOUT: "No hello came within 5 seconds.",
    CloseCode.AUTH_FAILED: "The token of hello is not let in; the answer before says why.",
    CloseCode.PROTOCOL_ERROR: "hello was not first or too large, or too much was no JSON.",
    CloseCode.UNSUPPORTED_VERSION: "hello named no version of the protocol that is spoken here.",
    CloseCode.CONNECTION_LIMIT: "The token has limits.max_websockets connections already.",
    CloseCode.REPLACED: "Another connection has said hello with your session_id.",
    CloseCode.TOKEN_REVOKED: "The token opens nothing any more; the reason says why.",
}

MAX_CONTROL_BYTES = 125
MASKED = 0x80
_HEAD, _MASK = 2, 4
_OF_CLIENTS = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""Codes that a close frame may carry (RFC 6455, section 7.4)."""
PING = b"\x89\x00"


class FrameHeads:
    """Checker of the heads of the frames that come, wherever the bytes are cut.

    A client's frames are masked, and say their length in as few bytes as it takes (RFC 6455,
    sections 5.1 and 5.2); aiohttp looks at neither.
    """

    def __init__(self) -> None:
        self._head = b""
        self._skip = 0
        """Bytes of the mask and payload that are still to come."""

    def are_good(self, data: bytes) -> bool:
        """Take more bytes; return whether all heads in them are as they must be."""
        # a head may be cut anywhere: what is left of one is kept, at most 9 bytes
        data = self._head + data
        size, at = len(data), self._skip
        self._head = b""
        while at + _HEAD <= size:
            if data[at + 1] < MASKED:
                return False
            length, wide = data[at + 1] - MASKED, 0
            if length > 125:
                wide = 2 if length == 126 else 8
                if at + _HEAD + wide > size:
                    break
                length = int.from_bytes(data[at + _HEAD : at + _HEAD + wide], "big")
                # RFC 6455 wants the shortest form; aiohttp takes any
                if length < (126 if wide == 2 else 65_536):
                    return False
            at += _HEAD + wide + _MASK + length
        self._head, self._skip = data[at:], max(0, at - size)
        return True


def code_to_echo(given: object) -> int:
    """Return what answers a peer's close: its own code, where that is one of a program's.

    Args:
        given: the code; 0 for none, something else where the connection is broken.

    """
    if not isinstance(given, int) or given == 0:
        return CloseCode.NORMAL
    if given not in _OF_CLIENTS:
        return CloseCode.BAD_FRAME
    return given if given >= 3000 else CloseCode.NORMAL


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a ping."""
    return b"\x8a" + len(payload).to_bytes(1, "big") + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame; the reason is cut to what a control frame can carry."""
    # our reasons are ASCII words: the cut cannot fall into a character
    payload = code.to_bytes(2, "big") + reason.encode()[: MAX_CONTROL_BYTES - 2]
    return b"\x88" + len(payload).to_bytes(1, "big") + payload
