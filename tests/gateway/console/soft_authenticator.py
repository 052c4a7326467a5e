"""Authenticator in software: makes and uses passkeys, and may lie about each part."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text_of(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True)
class SoftAuthenticator:
    """One passkey, with what it says of itself and of the page that asks."""

    origin: str
    rp_id: str = "localhost"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential: bytes = field(default_factory=lambda: os.urandom(32))
    count: int = 0
    flags: int = PRESENT | VERIFIED
    challenge: str = ""
    """That is signed in place of the one that was asked for."""
    kind: str = ""
    """Of the ceremony, in place of the right one."""

    def lying(self, **lies: Any) -> SoftAuthenticator:
        """Return the same passkey with other words."""
        return replace(self, **lies)

    def make(self, options: str) -> str:
        """Answer ``navigator.credentials.create``."""
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        )
        attested = bytes(16) + len(self.credential).to_bytes(2) + self.credential + public
        data = self._data(self.flags | ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._client_data("webauthn.create", options)
        return self._answer(clientDataJSON=said, attestationObject=attestation)

    def use(self, options: str) -> str:
        """Answer ``navigator.credentials.get``."""
        data, said = self._data(self.flags), self._client_data("webauthn.get", options)
        signed = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._answer(clientDataJSON=said, authenticatorData=data, signature=signed)

    def _data(self, flags: int) -> bytes:
        return (
            hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)
        )

    def _client_data(self, kind: str, options: str) -> bytes:
        challenge = self.challenge or json.loads(options)["challenge"]
        said = {"type": self.kind or kind, "challenge": challenge, "origin": self.origin}
        return json.dumps(said).encode()

    def _answer(self, **parts: bytes) -> str:
        name = text_of(self.credential)
        response = {key: text_of(part) for key, part in parts.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
