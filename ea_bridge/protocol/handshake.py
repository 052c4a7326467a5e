"""Mutual proof that both sides know the token, which itself never crosses the wire.

Theory of operation
===================

The shape is that of SCRAM. With ``AM = "mgb1" | tid | cnonce | snonce | device`` (nonces as raw
bytes, the ``|`` a byte between the parts)::

    the daemon's proof  HMAC(ServerKey, "srv|" + AM)                   in ``challenge``
    the EA's proof      ClientKey xor HMAC(StoredKey, "cli|" + AM)     in ``auth``

Both nonces are in both proofs, so neither side's can be replayed. The daemon proves itself first:
an EA tells nothing to a program that merely sits on the port. The keys are those of
:mod:`ea_bridge.token`; a daemon keeps what checks the EA's proof, not what makes it.
"""

from __future__ import annotations

import hashlib
import hmac

from ea_bridge.token import TokenKeys, client_key, derive_keys, mac

from .errors import WrongProof
from .messages import Auth, Challenge, Hello

PROTO = 1
"""The version of this protocol that we speak; the only one there is."""
SPAN = f"{PROTO}-{PROTO}"
"""The versions that we speak, as ``hello.proto`` has them."""
NONCE_BYTES = 32
"""Fresh and random, sent as hexadecimal digits."""


def negotiate(span: str) -> int | None:
    """Return the highest version in both spans (``"1-3"``), ``None`` if there is none."""
    low, high = (int(version) for version in span.split("-"))
    return PROTO if low <= PROTO <= high else None


def parse_caps(caps: str) -> frozenset[str]:
    """Return the capabilities of ``hello.caps``; unknown ones are kept."""
    return frozenset(name for part in caps.split(",") if (name := part.strip()))


def auth_message(tid: str, cnonce: bytes, snonce: bytes, device: str) -> bytes:
    """Return what both proofs are about."""
    return b"|".join((b"mgb1", tid.encode(), cnonce, snonce, device.encode()))


def server_proof(server_key: bytes, message: bytes) -> bytes:
    """Return the daemon's proof."""
    return mac(server_key, b"srv|" + message)


def client_proof(token: str, message: bytes) -> bytes:
    """Return the EA's proof."""
    return _xor(client_key(token), _mask(derive_keys(token).stored_key, message))


def is_client_proof(stored_key: bytes, message: bytes, proof: bytes) -> bool:
    """Tell in constant time whether the proof was made with the token of ``stored_key``."""
    claimed = _xor(proof, _mask(stored_key, message))
    return hmac.compare_digest(hashlib.sha256(claimed).digest(), stored_key)


def make_challenge(keys: TokenKeys, hello: Hello, snonce: str, device: str) -> Challenge:
    """Daemon: answer a hello."""
    message = _message(hello, snonce, device)
    proof = server_proof(keys.server_key, message).hex()
    return Challenge(proto=PROTO, snonce=snonce, device=device, proof=proof)


def answer_challenge(token: str, hello: Hello, challenge: Challenge) -> Auth:
    """EA: check the daemon's proof and make ours.

    Raises:
        WrongProof: it doesn't know the token, or is another program on the daemon's port.

    """
    message = _message(hello, challenge.snonce, challenge.device)
    expected = server_proof(derive_keys(token).server_key, message)
    if not hmac.compare_digest(expected, bytes.fromhex(challenge.proof)):
        raise WrongProof(
            "the daemon does not know this token, or another program answers on this port"
        )
    return Auth(proof=client_proof(token, message).hex())


def check_auth(keys: TokenKeys, hello: Hello, challenge: Challenge, auth: Auth) -> None:
    """Daemon: check the EA's proof.

    Raises:
        WrongProof: it does not hold the token.

    """
    message = _message(hello, challenge.snonce, challenge.device)
    if not is_client_proof(keys.stored_key, message, bytes.fromhex(auth.proof)):
        raise WrongProof("the EA does not hold the token")


def _message(hello: Hello, snonce: str, device: str) -> bytes:
    return auth_message(hello.tid, bytes.fromhex(hello.cnonce), bytes.fromhex(snonce), device)


def _mask(stored_key: bytes, message: bytes) -> bytes:
    return mac(stored_key, b"cli|" + message)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
