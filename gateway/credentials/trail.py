"""Head of an audit trail, as the device that wrote it has signed."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .envelope import EnvelopeError, key_id, open_envelope


class SignedHead(NamedTuple):
    """A row of a trail; its hash covers all rows before it."""

    did: str
    n: int
    """0 for a trail without rows."""
    hash: bytes
    time_ms: int
    """When it was signed, UTC milliseconds."""


def open_head(envelope: str, key: Ed25519PublicKey) -> SignedHead:
    """Verify what a device has signed of its trail.

    Raises:
        EnvelopeError: it was not signed with this key, or says nothing of a trail.

    """
    payload = open_envelope(envelope, "ckpt", {key_id(envelope): key})
    try:
        n, hashed = payload["n"], bytes.fromhex(payload["hash"])
        did, time_ms = payload["did"], payload["time_ms"]
    except (KeyError, TypeError, ValueError):
        raise EnvelopeError("it says nothing of a trail") from None
    if not (isinstance(n, int) and isinstance(time_ms, int) and 0 <= n < 2**63):
        raise EnvelopeError("it says nothing of a trail")
    return SignedHead(str(did), n, hashed, time_ms)
