"""Control frames as a server sends them, and the codes that a connection closes with."""

from __future__ import annotations

import enum


class CloseCode(enum.IntEnum):
    """Why a connection ends. 4000 to 4499: connect again; 4500 and more: don't."""

    NORMAL = 1000
    GOING_AWAY = 1001
    BINARY = 1003
    BAD_TEXT = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SLOW_CONSUMER = 4000
    HEARTBEAT_TIMEOUT = 4001
    RATE_LIMITED = 4003
    AUTH_TIMEOUT = 4500
    AUTH_FAILED = 4501
    PROTOCOL_ERROR = 4502
    CONNECTION_LIMIT = 4504
    TOKEN_REVOKED = 4506
    """The token opens nothing any more; the reason of the close frame is that of error -32001."""


MAX_CONTROL_BYTES = 125
PING = b"\x89\x00"


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a ping."""
    return b"\x8a" + len(payload).to_bytes(1, "big") + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame; the reason is cut to what a control frame can carry."""
    payload = code.to_bytes(2, "big") + reason.encode()[: MAX_CONTROL_BYTES - 2]
    return b"\x88" + len(payload).to_bytes(1, "big") + payload
