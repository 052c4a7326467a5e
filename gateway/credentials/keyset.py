"""Which keys may sign: a dated set, signed by the root key that the daemon has pinned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, ValidationError

from .envelope import EnvelopeError, Kind, decode64, encode64, open_envelope, seal

ROOT_KID = "root"
KEY_DAYS = 90
SET_DAYS = 180
_DAY_S = 86_400
SKEW_S = 60
"""Clocks may differ so much before a beginning is in the future."""


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class KeyEntry(_Payload):
    """One key: seconds since 1970 for ``nbf`` (not before) and ``exp``."""

    kid: str
    pub: str
    use: list[Literal["rec", "lease", "evt", "state"]]
    nbf: int
    exp: int


class KeySetPayload(_Payload):
    """The payload of a ``keys`` envelope."""

    v: Literal[1]
    iss: str
    ver: int
    iat: int
    exp: int
    keys: list[KeyEntry]


@dataclass(frozen=True)
class KeySet:
    """A verified set."""

    payload: KeySetPayload

    @property
    def version(self) -> int:
        """Only grows; an older set than one already seen is refused by who keeps it."""
        return self.payload.ver

    def keys_for(self, kind: Kind, now_s: int) -> dict[str, Ed25519PublicKey]:
        """Return the keys whose signature on ``kind`` counts now, by key id."""
        if now_s >= self.payload.exp:
            return {}
        return {
            entry.kid: public_key(entry.pub)
            for entry in self.payload.keys
            if kind in entry.use and entry.nbf - SKEW_S <= now_s < entry.exp
        }


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key from base64url.

    Raises:
        EnvelopeError: it is none.

    """
    try:
        return Ed25519PublicKey.from_public_bytes(decode64(text))
    except (ValueError, UnsupportedAlgorithm):
        raise EnvelopeError("not an Ed25519 public key") from None


def public_text(key: Ed25519PublicKey) -> str:
    """Write a public key as base64url."""
    return encode64(key.public_bytes_raw())


def sign_keyset(
    root: Ed25519PrivateKey, keys: dict[str, Ed25519PublicKey], *, version: int, now_s: int
) -> str:
    """Return a ``keys`` envelope that lets ``keys`` sign for :data:`KEY_DAYS` days."""
    entries: list[dict[str, Any]] = [
        {
            "kid": kid,
            "pub": public_text(key),
            "use": ["rec", "lease", "evt", "state"],
            "nbf": now_s,
            "exp": now_s + KEY_DAYS * _DAY_S,
        }
        for kid, key in keys.items()
    ]
    payload = {
        "v": 1,
        "iss": "local",
        "ver": version,
        "iat": now_s,
        "exp": now_s + SET_DAYS * _DAY_S,
        "keys": entries,
    }
    return seal("keys", ROOT_KID, payload, root)


def open_keyset(envelope: str, root: Ed25519PublicKey) -> KeySet:
    """Verify a ``keys`` envelope against the pinned root.

    Raises:
        EnvelopeError: it is not one, or lacks a member.

    """
    payload = open_envelope(envelope, "keys", {ROOT_KID: root})
    try:
        return KeySet(KeySetPayload.model_validate(payload))
    except ValidationError:
        raise EnvelopeError("a key set lacks a member or has one of a wrong type") from None
