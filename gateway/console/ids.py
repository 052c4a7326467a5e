"""Random names and secrets, and what is kept of a secret."""

from __future__ import annotations

import hashlib

from ea_bridge import host

SECRET_BYTES = 32
"""Of sessions and links: 256 bits."""


def new_id() -> str:
    """Return a name for a row: 96 random bits, which open nothing."""
    return host.token_urlsafe(12)


def ordered_id() -> str:
    """Return an id that sorts after those made before it by this machine's clock."""
    # 16 digits hold nanoseconds beyond the year 2500, so that text order is time order
    return f"{host.wall_ns():016x}{host.token_hex(3)}"


def new_secret() -> str:
    """Return a secret for a cookie or a link: 43 base64url characters."""
    return host.token_urlsafe(SECRET_BYTES)


def secret_hash(secret: str) -> str:
    """Return a secret's hash, which alone is kept: of 256 random bits it cannot be undone."""
    # no slow hash: 256 random bits are not guessed. Replaced, as a cookie may hold half surrogates
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def uid_hash(user_id: str) -> str:
    """Name a user in records and events, without telling daemons who it is."""
    # the prefix keeps it from being the hash of anything else that we make of a user's id
    return hashlib.sha256(b"mgtuid1|" + user_id.encode()).hexdigest()[:16]
