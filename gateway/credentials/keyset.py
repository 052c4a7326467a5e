"""Key set of those that may sign: dated, and signed by the root key that the daemon has pinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from ea_bridge import host

from .envelope import EnvelopeError, Kind, decode64, encode64, open_envelope, seal
from .record import First, Seconds, Signed

ROOT_KID = "root"
ROOT_PREFIX = "mgr1_"
KEY_BYTES = 32
"""Of a private key: any there are make one (RFC 8032)."""
DAY_S = 86_400
KEY_DAYS = 90
"""Life of an operational key."""
SET_DAYS = 180
"""The most that a set may last."""
SKEW_S = 60
"""Clocks may differ so much before a beginning is in the future; an end has no such grace."""
OPERATIONAL: tuple[Kind, ...] = ("rec", "lease", "evt", "state")
"""What operational keys sign; sets are signed by the root alone."""


class KeyEntry(Signed):
    """One key: seconds since 1970 for ``nbf`` (not before) and ``exp`` (exclusive)."""

    kid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    pub: str
    use: Annotated[tuple[str, ...], Field(strict=False)]
    """Kinds of envelope; one that we don't know yet does no harm."""
    nbf: Seconds
    exp: Seconds

    def counts(self, kind: Kind, now_s: int) -> bool:
        """Whether a signature of this key on such an envelope counts at a time."""
        return kind in self.use and kind != "keys" and self.nbf - SKEW_S <= now_s < self.exp


class KeySet(Signed):
    """The payload of a ``keys`` envelope."""

    v: First
    iss: str
    ver: Annotated[int, Field(ge=1, le=2**53)]
    """Only grows; an older set than one already seen is refused by who keeps it."""
    iat: Seconds
    exp: Seconds
    keys: Annotated[tuple[KeyEntry, ...], Field(strict=False)]

    def is_dated(self, now_s: int) -> bool:
        """Whether the set as such is valid at a time."""
        return self.iat - SKEW_S <= now_s < self.exp

    def keys_for(self, kind: Kind, now_s: int) -> dict[str, Ed25519PublicKey]:
        """Return the keys whose signature on ``kind`` counts now, by key id."""
        if not self.is_dated(now_s):
            return {}
        return {one.kid: public_key(one.pub) for one in self.keys if one.counts(kind, now_s)}

    def vouches_until(self, kid: str) -> int:
        """Return when signatures of a key stop to count; 0 for a key that is not in the set."""
        return min(self.exp, max((one.exp for one in self.keys if one.kid == kid), default=0))


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key from base64url.

    Raises:
        EnvelopeError: it is none.

    """
    try:
        return Ed25519PublicKey.from_public_bytes(decode64(text))
    except (ValueError, UnsupportedAlgorithm):
        raise EnvelopeError("not an Ed25519 public key") from None


def new_key() -> Ed25519PrivateKey:
    """Make a private key, from the host's randomness."""
    return Ed25519PrivateKey.from_private_bytes(host.random_bytes(KEY_BYTES))


def public_text(key: Ed25519PublicKey) -> str:
    """Write a public key as base64url."""
    return encode64(key.public_bytes_raw())


def root_text(key: Ed25519PublicKey) -> str:
    """Write a root key as people pin it, in ``[console] root``."""
    return ROOT_PREFIX + public_text(key)


def parse_root(text: str) -> Ed25519PublicKey:
    """Read a root key that somebody pinned.

    Raises:
        EnvelopeError: it is none.

    """
    if not text.startswith(ROOT_PREFIX):
        raise EnvelopeError(f"a root key starts with {ROOT_PREFIX}")
    return public_key(text.removeprefix(ROOT_PREFIX))


def sign_keyset(
    root: Ed25519PrivateKey, keys: Sequence[KeyEntry], *, iss: str, version: int, now_s: int
) -> str:
    """Return a ``keys`` envelope for :data:`SET_DAYS` days."""
    payload = KeySet(
        v=1,
        iss=iss,
        ver=version,
        iat=now_s,
        exp=now_s + SET_DAYS * DAY_S,
        keys=tuple(keys),
    )
    return seal("keys", ROOT_KID, payload.model_dump(mode="json"), root)


def open_keyset(envelope: str, root: Ed25519PublicKey) -> KeySet:
    """Verify a ``keys`` envelope against the pinned root; its dates are for who uses it.

    Raises:
        EnvelopeError: it is not one, lacks a member, lasts too long, or is ambiguous.

    """
    payload = open_envelope(envelope, "keys", {ROOT_KID: root})
    try:
        keyset = KeySet.model_validate(payload)
    except ValidationError:
        raise EnvelopeError("a key set lacks a member or has one of a wrong type") from None
    if keyset.exp - keyset.iat > SET_DAYS * DAY_S:
        raise EnvelopeError(f"a key set for more than {SET_DAYS} days")
    if len({one.kid for one in keyset.keys}) != len(keyset.keys):
        raise EnvelopeError("a key set with two keys of one id")
    for one in keyset.keys:
        public_key(one.pub)
    return keyset
