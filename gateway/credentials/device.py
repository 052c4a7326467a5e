"""A device: the machine that a token is used from, known by an Ed25519 key made on it.

Its id is a fingerprint of the public key, as Syncthing's is of a certificate. What a daemon asks
of its console it signs, so that neither a stolen answer nor a proxy in between can ask for it::

    Mgt-Device     the id
    Mgt-Time       seconds since 1970, within a minute of the console's clock
    Mgt-Nonce      128 random bits, base64url; the console takes each once
    Mgt-Signature  Ed25519 over PAE("mgreq1", method, path, SHA-256(body), time, nonce, device)

The daemon's own key is made at the first start of a home, and never leaves it. It also
signs the head of the audit trail.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ea_bridge import host
from gateway.storage.store import Store

from .envelope import EnvelopeError, decode64, encode64, key_id, open_envelope, pae, seal
from .keyset import SKEW_S, new_key, public_text
from .secrets import SealedColumn, SecretBox

DEVICE_ID = re.compile(r"[a-z2-7]{52}", re.ASCII)
HEADER_DEVICE = "Mgt-Device"
HEADER_TIME = "Mgt-Time"
HEADER_NONCE = "Mgt-Nonce"
HEADER_SIGNATURE = "Mgt-Signature"
NONCE_BYTES = 16
WORDS = 4
"""Of 16 bits each."""

TABLE = """
-- the key of this machine, one row; the private part is sealed
CREATE TABLE device (
    did TEXT PRIMARY KEY,
    private_key TEXT NOT NULL,
    only INTEGER NOT NULL DEFAULT 1 UNIQUE CHECK (only = 1)
) STRICT;
"""
AUDIT_SIGNED = """
-- a copy of audit.checkpoint, which must not vanish; see gateway.audit.checkpoint
CREATE TABLE audit_signed (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    signed TEXT NOT NULL
) STRICT;
"""
PRIVATE_KEY = SealedColumn("device", "did", "private_key")

_GROUP = 7
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


class BadRequestSignature(ValueError):
    """The request does not come from the device that it names, or not now."""


class ClockSkewed(BadRequestSignature):
    """The signature is the device's, but its clock or ours is wrong by more than a minute."""


@dataclass(frozen=True)
class RequestProof:
    """Proof of which device has signed a request."""

    did: str
    time_s: int
    nonce: str
    """To be taken once: whoever checks the signature keeps it for twice the skew at least."""


def device_id(key: Ed25519PublicKey) -> str:
    """Return the id of a device: 52 lower-case base32 characters of the key's SHA-256."""
    digest = hashlib.sha256(key.public_bytes_raw()).digest()
    return base64.b32encode(digest).rstrip(b"=").decode().lower()


def device_words(did: str) -> str:
    """Return words by which a person compares two devices: 64 bits of the id, to be read aloud.

    Each word spells 16 bits as consonants and vowels in turn, such as ``lusab-babad``
    (the idea of proquints: D. Wilkerson, "A Proposal for Proquints", 2009).
    """
    digest = hashlib.sha256(b"mgwords1" + did.encode()).digest()
    numbers = (int.from_bytes(digest[2 * i : 2 * i + 2], "big") for i in range(WORDS))
    return "-".join(_word(number) for number in numbers)


def device_label(did: str) -> str:
    """Return the id for people, in upper case and groups."""
    text = did.upper()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def sign_request(
    key: Ed25519PrivateKey,
    method: str,
    path: str,
    body: bytes,
    *,
    time_s: int,
    nonce: str | None = None,
) -> dict[str, str]:
    """Return the headers that prove who asks.

    Args:
        key: of the device.
        method: in upper case.
        path: with the query string, as it is sent.
        body: as it is sent; empty for none.
        time_s: seconds since 1970, by the console's clock.
        nonce: a fresh one by default.

    """
    did = device_id(key.public_key())
    nonce = nonce or encode64(host.random_bytes(NONCE_BYTES))
    signature = key.sign(_signed(method, path, body, str(time_s), nonce, did))
    return {
        HEADER_DEVICE: did,
        HEADER_TIME: str(time_s),
        HEADER_NONCE: nonce,
        HEADER_SIGNATURE: encode64(signature),
    }


def check_request(
    headers: Mapping[str, str],
    key: Ed25519PublicKey,
    method: str,
    path: str,
    body: bytes,
    now_s: int,
) -> RequestProof:
    """Verify who asks; see :func:`sign_request`.

    Args:
        headers: of the request, looked up as written above.
        key: of the device that is named.

    Raises:
        ClockSkewed: it is signed by the device, at another time than now.
        BadRequestSignature: a header is missing or malformed, or the signature is not the key's.

    """
    did, time_text = headers.get(HEADER_DEVICE, ""), headers.get(HEADER_TIME, "")
    nonce = headers.get(HEADER_NONCE, "")
    # the id is computed from the key: a signature under another name counts for nothing
    if not (_NONCE.fullmatch(nonce) and _TIME.fullmatch(time_text) and did == device_id(key)):
        raise BadRequestSignature("the request is not signed by the device that it names")
    try:
        signature = decode64(headers.get(HEADER_SIGNATURE, ""))
        key.verify(signature, _signed(method, path, body, time_text, nonce, did))
    except (ValueError, InvalidSignature):
        raise BadRequestSignature("the request is not signed by the device") from None
    # behind the signature: the device alone is told that its clock is wrong
    if abs(now_s - int(time_text)) > SKEW_S:
        raise ClockSkewed(f"the clocks differ by {now_s - int(time_text)} s")
    return RequestProof(did, int(time_text), nonce)


def _signed(method: str, path: str, body: bytes, time_s: str, nonce: str, did: str) -> bytes:
    parts = (method, path, time_s, nonce, did)
    method_, path_, time_, nonce_, did_ = (part.encode() for part in parts)
    return pae(b"mgreq1", method_, path_, hashlib.sha256(body).digest(), time_, nonce_, did_)


def _word(number: int) -> str:
    consonants = [_CONSONANTS[number >> shift & 15] for shift in (12, 6, 0)]
    vowels = [_VOWELS[number >> shift & 3] for shift in (10, 4)]
    return consonants[0] + vowels[0] + consonants[1] + vowels[1] + consonants[2]


class DeviceKey:
    """An Ed25519 key by which consoles and EAs know this daemon again."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.did = device_id(key.public_key())
        """Fingerprint of the public key."""
        self.public = public_text(key.public_key())
        """The public key, base64url."""

    def sign_request(self, method: str, path: str, body: bytes, *, time_s: int) -> dict[str, str]:
        """Return the headers that prove that it is this device that asks.

        See :func:`sign_request`.
        """
        return sign_request(self._key, method, path, body, time_s=time_s)

    def sign_checkpoint(self, n: int, head: bytes, now_ms: int) -> str:
        """Return an envelope that says how far the audit trail of this home goes.

        See :mod:`gateway.audit.checkpoint`.
        """
        payload = {"did": self.did, "n": n, "hash": head.hex(), "time_ms": now_ms}
        return seal("ckpt", self.did[:16], payload, self._key)


def open_device(store: Store, box: SecretBox) -> DeviceKey:
    """Open the key of a store, or make it for one that has none.

    Raises:
        SecretsError: it does not open with this box.

    """
    row = store.one("SELECT did, private_key FROM device")
    if row is None:
        with store.transaction() as db:
            row = store.one("SELECT did, private_key FROM device")  # somebody was faster
            if row is None:
                key = new_key()
                did = device_id(key.public_key())
                sealed = box.seal(key.private_bytes_raw(), PRIVATE_KEY.place(did))
                db.execute("INSERT INTO device (did, private_key) VALUES (?, ?)", (did, sealed))
                return DeviceKey(key)
    private = box.open(row["private_key"], PRIVATE_KEY.place(row["did"]))
    return DeviceKey(Ed25519PrivateKey.from_private_bytes(private))


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
