"""The mutual proof. The vectors were made with the reference prototype and never change."""

from __future__ import annotations

import msgspec
import pytest
from bridge_parts import DEVICE, KEYS, TOKEN, make_hello

from ea_bridge import host
from ea_bridge.protocol.errors import WrongProof
from ea_bridge.protocol.handshake import (
    NONCE_BYTES,
    answer_challenge,
    auth_message,
    check_auth,
    client_proof,
    is_client_proof,
    make_challenge,
    negotiate,
    parse_caps,
    server_proof,
)
from ea_bridge.token import derive_keys, new_token

COUNTING = (bytes(range(32)), bytes(range(32, 64)), "A4JQ-PDUH-device")
SEPARATORS = (b"|" * 32, bytes(32), "d|é")
VECTORS = [
    (
        COUNTING,
        "828ff36f491f128dabdfb40ccd75cb000280695810ada5269243acd1adfa452e",
        "c6c32c1e7b848dc21e672033504b8bd79c5073cd59cd2f127d5c28c6c14f5bd9",
    ),
    (
        SEPARATORS,
        "af4d686017df8addf09b03691bc547f1495bcd81b65deee66c8abc809a719738",
        "932fe278966d00e2d5e5b1584ade043aac7bd4afa98547432c6bfc61f796b36f",
    ),
]


def test_the_message_joins_raw_bytes():
    """``mgb1``, tid, both nonces and the device, with a bar between."""
    message = auth_message("A1b2C3d4E5f6", *COUNTING)
    assert message == b"|".join(
        (b"mgb1", b"A1b2C3d4E5f6", bytes(range(32)), bytes(range(32, 64)), b"A4JQ-PDUH-device")
    )


@pytest.mark.parametrize(("parts", "server", "client"), VECTORS)
def test_proofs_are_those_of_the_vectors(parts, server, client):
    """Keys, message and proofs agree with the reference to the bit."""
    message = auth_message("A1b2C3d4E5f6", *parts)
    assert server_proof(KEYS.server_key, message).hex() == server
    assert client_proof(TOKEN, message).hex() == client
    assert is_client_proof(KEYS.stored_key, message, bytes.fromhex(client))


def test_both_sides_convince_each_other():
    """A daemon with the keys and an EA with the token."""
    hello = make_hello()
    challenge = make_challenge(KEYS, hello, host.token_hex(NONCE_BYTES), DEVICE)
    check_auth(KEYS, hello, challenge, answer_challenge(TOKEN, hello, challenge))


def test_a_daemon_without_the_keys_learns_nothing():
    """The EA makes no proof for a program that merely sits on the port."""
    hello = make_hello()
    challenge = make_challenge(
        derive_keys(new_token()), hello, host.token_hex(NONCE_BYTES), DEVICE
    )
    with pytest.raises(WrongProof, match="another program"):
        answer_challenge(TOKEN, hello, challenge)


@pytest.mark.parametrize("member", ["snonce", "device"])
def test_every_part_of_a_challenge_is_in_its_proof(member):
    """A challenge can't be passed on under another device's name or nonce."""
    hello = make_hello()
    challenge = make_challenge(KEYS, hello, host.token_hex(NONCE_BYTES), DEVICE)
    other = {"snonce": host.token_hex(NONCE_BYTES), "device": "device-2"}[member]
    with pytest.raises(WrongProof):
        answer_challenge(TOKEN, hello, msgspec.structs.replace(challenge, **{member: other}))


def test_a_proof_is_worth_nothing_in_another_conversation():
    """Replaying hello and auth fails, since the daemon's nonce is another."""
    hello = make_hello()
    first = make_challenge(KEYS, hello, host.token_hex(NONCE_BYTES), DEVICE)
    second = make_challenge(KEYS, hello, host.token_hex(NONCE_BYTES), DEVICE)
    replayed = answer_challenge(TOKEN, hello, first)
    with pytest.raises(WrongProof):
        check_auth(KEYS, hello, second, replayed)


def test_a_proof_with_one_flipped_bit_is_wrong():
    """All 256 bits count."""
    message = auth_message("A1b2C3d4E5f6", *COUNTING)
    proof = bytearray(client_proof(TOKEN, message))
    for at in range(32):
        for bit in range(8):
            proof[at] ^= 1 << bit
            assert not is_client_proof(KEYS.stored_key, message, bytes(proof))
            proof[at] ^= 1 << bit


@pytest.mark.parametrize(
    ("span", "version"), [("1-1", 1), ("1-9", 1), ("0-1", 1), ("2-3", None), ("0-0", None)]
)
def test_the_version_is_one_that_both_speak(span, version):
    """Spans that overlap agree; others are denied."""
    assert negotiate(span) == version


def test_unknown_capabilities_are_kept():
    """A newer EA may do more; spaces and empty names don't matter."""
    assert parse_caps("ticks, book,,teleport") == {"ticks", "book", "teleport"}
    assert parse_caps("") == frozenset()


def test_nonces_are_fresh():
    """64 hexadecimal digits, never the same."""
    nonces = {host.token_hex(NONCE_BYTES) for _ in range(100)}
    assert len(nonces) == 100
    assert {len(nonce) for nonce in nonces} == {64}
