"""Events that the console tells a device by itself, and its list of what the device may know.

Events are counted for each device from 1 without gaps, so that a daemon that missed one knows it.
An event only says that something has changed and what must stop at once; what holds from now on
stands in the records, which the daemon fetches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from .lease import DeviceId, Epoch, Tid
from .record import First, Seconds, Signed, open_signed

EventType = Literal[
    "token.revoked",
    "token.updated",
    "device.approved",
    "device.revoked",
    "user.disabled",
    "user.enabled",
    "keys.rotated",
]
ENDING: frozenset[EventType] = frozenset({"token.revoked", "device.revoked", "user.disabled"})
"""Those after which something must stop at once."""

EventSeq = Annotated[int, Field(ge=1, le=2**53)]


class ConsoleEvent(Signed):
    """The payload of an ``evt`` envelope."""

    v: First
    iss: str
    aud: Literal["mtgw-daemon"]
    did: DeviceId
    seq: EventSeq
    """Of this device, from 1 without gaps."""
    type: EventType
    tid: Tid | None = None
    """The token concerned; ``None`` for every token of the user on this device."""
    uid_hash: str = ""
    """Whose tokens, as :attr:`~.record.Record.uid_hash`."""
    rec_ver: Annotated[int, Field(ge=0, le=2**53)] = 0
    """Of the token's record after the change; 0 where no token is named."""
    epoch: Epoch = 0
    iat: Seconds


class DeviceState(Signed):
    """The payload of a ``state`` envelope: all tokens that a device may know.

    A token that was known and is not in the list counts as revoked.
    """

    v: First
    iss: str
    aud: Literal["mtgw-daemon"]
    did: DeviceId
    seq: Annotated[int, Field(ge=0, le=2**53)]
    """Of the last event that is contained; an older state than one already seen is refused."""
    iat: Seconds
    tids: Annotated[tuple[Tid, ...], Field(strict=False)]
    nonce: str = ""
    """That of the question that it answers: who kept an older answer cannot give it again."""


def open_event(envelope: str, keys: Mapping[str, Ed25519PublicKey]) -> ConsoleEvent:
    """Verify an ``evt`` envelope; errors as of :func:`~.record.open_signed`."""
    return open_signed(ConsoleEvent, "evt", envelope, keys)


def open_state(envelope: str, keys: Mapping[str, Ed25519PublicKey]) -> DeviceState:
    """Verify a ``state`` envelope; errors as of :func:`~.record.open_signed`."""
    return open_signed(DeviceState, "state", envelope, keys)
