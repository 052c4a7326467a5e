"""How one row of the audit trail holds on to the row before it."""

from __future__ import annotations

import hashlib

LABEL = b"mgaud1"
"""The version of the rule: another rule gets another label."""
HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)
"""What the first row holds on to."""


def chained(previous: bytes, n: int, entry: bytes) -> bytes:
    """Return the hash of a row.

    Args:
        previous: hash of the row before it, or :data:`GENESIS`.
        n: its number; the first is 1.
        entry: its bytes as they are stored.

    """
    digest = hashlib.sha256(entry).digest()
    return hashlib.sha256(LABEL + previous + n.to_bytes(8, "big") + digest).digest()
