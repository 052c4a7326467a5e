"""An event of a topic, as it goes to every listener."""

from __future__ import annotations

import msgspec

from .frames import frame_payload


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
