"""Events of topics, and the WebSocket text frames that carry them.

Frames are built by hand (RFC 6455, section 5.2): a server's frames are unmasked, so one frame
serves all listeners.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

_FIN_TEXT = 0x81


def _header(length: int) -> bytes:
    if length < 126:
        return bytes((_FIN_TEXT, length))
    if length < 0x10000:
        return struct.pack(">BBH", _FIN_TEXT, 126, length)
    return struct.pack(">BBQ", _FIN_TEXT, 127, length)


_HEADERS = tuple(_header(length) for length in range(1024))
"""Headers of the lengths that events mostly have; a look-up takes a third of the packing."""


def text_frame(payload: bytes) -> bytes:
    """Return one complete, unfragmented text frame around UTF-8 ``payload``."""
    length = len(payload)
    return (_HEADERS[length] if length < 1024 else _header(length)) + payload


def notification(name: str, params: Mapping[str, Any]) -> bytes:
    """Return the text of a notification that nobody asked for."""
    return orjson.dumps({"jsonrpc": "2.0", "method": name, "params": params})


def frame_payload(frame: bytes) -> bytes:
    """Return what :func:`text_frame` was given."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of one topic, encoded."""

    key: str
    """The topic's."""
    latest: bool
    """A newer event of the topic makes this one out of date; it may be merged away."""
    frame: bytes
    """A complete unmasked WebSocket text frame."""

    @property
    def payload(self) -> bytes:
        """The JSON inside the frame."""
        return frame_payload(self.frame)
