"""Envelopes that the issuer signs: ``mg1.<kind>.<kid>.<payload>.<signature>``.

The signature is Ed25519 over ``PAE("mg1", kind, kid, payload)`` (pre-authentication encoding as
in PASETO: each part with its length), so that no byte can move from one part into another. The
version fixes the algorithm, and the kind is signed: a record cannot be passed off as a lease.
Bytes are verified as they came, then parsed: canonical base64url, UTF-8 JSON without duplicate
keys, integers only, at most 16 KiB.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Kind = Literal["keys", "rec", "lease", "evt", "state", "alert", "call", "ckpt"]
MAX_ENVELOPE = 16_384

_VERSION = "mg1"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_KID = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)


class EnvelopeError(ValueError):
    """The envelope is forged, altered, of another kind or signed by an unknown key."""


def pae(*parts: bytes) -> bytes:
    """Join parts so that no two lists of parts give the same bytes."""
    lengths = (struct.pack("<Q", len(part)) + part for part in parts)
    return struct.pack("<Q", len(parts)) + b"".join(lengths)


def encode64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode64(text: str) -> bytes:
    """Undo :func:`encode64`; text that it would not have made is refused.

    Raises:
        ValueError: the text is not canonical base64url.

    """
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    # the last character has spare bits: one signature would have several spellings
    if encode64(data) != text:
        raise ValueError("not canonical base64url")
    return data


def canonical(payload: Mapping[str, Any]) -> bytes:
    """The JSON that is signed: sorted keys, no spaces, ASCII."""
    # not orjson: it leaves letters beyond ASCII as they are, and what is signed must not change
    text = json.dumps(
        payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii")


def seal(kind: Kind, kid: str, payload: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """Sign a payload.

    Raises:
        ValueError: the payload holds a float that is no number, or is too large to be opened.

    """
    body = canonical(payload)
    signature = key.sign(_signed(kind, kid, body))
    envelope = f"{_VERSION}.{kind}.{kid}.{encode64(body)}.{encode64(signature)}"
    if len(envelope) > MAX_ENVELOPE:
        raise ValueError(f"an envelope of more than {MAX_ENVELOPE} characters")
    return envelope


def open_envelope(
    envelope: str, kind: Kind, keys: Mapping[str, Ed25519PublicKey]
) -> dict[str, Any]:
    """Verify an envelope and return its payload.

    Args:
        envelope: as received.
        kind: what it must be.
        keys: whose signatures count, by key id.

    Raises:
        EnvelopeError: it is anything but an intact envelope of that kind from one of the keys.

    """
    # before any work: the sender is not known yet
    if len(envelope) > MAX_ENVELOPE:
        raise EnvelopeError(f"an envelope of more than {MAX_ENVELOPE} characters")
    parts = envelope.split(".")
    if len(parts) != 5 or parts[0] != _VERSION or parts[1] != kind:
        raise EnvelopeError(f"not an envelope of kind {kind}")
    kid = parts[2]
    if not _KID.fullmatch(kid) or kid not in keys:
        raise EnvelopeError("signed by an unknown key")
    try:
        body, signature = decode64(parts[3]), decode64(parts[4])
        keys[kid].verify(signature, _signed(kind, kid, body))
        return _parse(body)
    except (ValueError, InvalidSignature, RecursionError):
        raise EnvelopeError("the envelope was altered or forged") from None


def key_id(envelope: str) -> str:
    """Return the key id that an envelope names; nothing is verified."""
    parts = envelope.split(".", 3)
    return parts[2] if len(parts) > 2 else ""


def _signed(kind: str, kid: str, body: bytes) -> bytes:
    return pae(_VERSION.encode(), kind.encode(), kid.encode(), body)


def _parse(body: bytes) -> dict[str, Any]:
    # not orjson: it takes the last of two members of one name, and floats
    payload = json.loads(
        body.decode("utf-8"),
        object_pairs_hook=_without_duplicates,
        parse_float=_refuse,
        parse_constant=_refuse,
    )
    if not isinstance(payload, dict):
        raise ValueError("not an object")
    return payload


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members


def _refuse(_: str) -> Any:
    raise ValueError("only whole numbers")
