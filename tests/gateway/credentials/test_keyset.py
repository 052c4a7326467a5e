"""The rules of key sets."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.credentials.envelope import EnvelopeError, seal
from gateway.credentials.keyset import (
    DAY_S,
    OPERATIONAL,
    SKEW_S,
    KeyEntry,
    KeySet,
    open_keyset,
    parse_root,
    public_key,
    public_text,
    root_text,
    sign_keyset,
)

ROOT = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NOW = 1_800_000_000
ENTRY = KeyEntry(
    kid="op1",
    pub=public_text(KEY.public_key()),
    use=OPERATIONAL,
    nbf=NOW,
    exp=NOW + 90 * DAY_S,
)


def opened(*entries: KeyEntry, now_s: int = NOW) -> KeySet:
    envelope = sign_keyset(ROOT, entries, iss="local", version=1, now_s=now_s)
    return open_keyset(envelope, ROOT.public_key())


def open_payload(**changes: Any) -> KeySet:
    """Open a set whose payload was changed before it was signed."""
    payload: dict[str, Any] = {
        "v": 1,
        "iss": "local",
        "ver": 1,
        "iat": NOW,
        "exp": NOW + DAY_S,
        "keys": [ENTRY.model_dump(mode="json")],
    }
    payload |= changes
    payload = {name: value for name, value in payload.items() if value is not ...}
    return open_keyset(seal("keys", "root", payload, ROOT), ROOT.public_key())


def test_a_key_counts_from_its_beginning_to_its_end() -> None:
    """A minute of grace at the beginning, since clocks differ; none at the end."""
    keyset = opened(ENTRY, now_s=NOW - DAY_S)
    times = {
        NOW - SKEW_S - 1: False,
        NOW - SKEW_S: True,
        ENTRY.exp - 1: True,
        ENTRY.exp: False,
    }
    for now_s, counts in times.items():
        assert ("op1" in keyset.keys_for("rec", now_s)) == counts, now_s
    assert keyset.vouches_until("op1") == ENTRY.exp
    assert keyset.vouches_until("op2") == 0


def test_a_set_counts_from_its_beginning_to_its_end() -> None:
    """Whatever its keys say."""
    long_lived = ENTRY.model_copy(update={"nbf": 0, "exp": NOW + 1000 * DAY_S})
    keyset = opened(long_lived)
    end = NOW + 180 * DAY_S
    times = {NOW - SKEW_S - 1: False, NOW - SKEW_S: True, end - 1: True, end: False}
    for now_s, counts in times.items():
        assert bool(keyset.keys_for("rec", now_s)) == counts, now_s
    assert keyset.vouches_until("op1") == end


def test_a_key_signs_only_what_it_is_for() -> None:
    """A key for leases makes no records, and none but the root makes key sets."""
    entry = ENTRY.model_copy(update={"use": ("lease", "keys", "of the future")})
    keyset = opened(entry)
    assert keyset.keys_for("lease", NOW)
    assert not keyset.keys_for("rec", NOW)
    assert not keyset.keys_for("keys", NOW)


def test_only_the_pinned_root_makes_key_sets() -> None:
    """Another root, or an operational key, makes none."""
    for signer, kid in ((KEY, "root"), (KEY, "op1"), (ROOT, "op1")):
        envelope = seal("keys", kid, opened(ENTRY).model_dump(mode="json"), signer)
        with pytest.raises(EnvelopeError):
            open_keyset(envelope, ROOT.public_key())


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True},
        {"v": ...},
        {"iss": ...},
        {"ver": ...},
        {"ver": 0},
        {"ver": True},
        {"ver": "1"},
        {"iat": ...},
        {"exp": ...},
        {"exp": NOW + 181 * DAY_S},
        {"keys": ...},
        {"keys": None},
        {"keys": [{}]},
        {"keys": [ENTRY.model_dump(mode="json")] * 2},
        {"keys": [{**ENTRY.model_dump(mode="json"), "pub": "AAAA"}]},
        {"keys": [{**ENTRY.model_dump(mode="json"), "kid": "a.b"}]},
        {"keys": [{**ENTRY.model_dump(mode="json"), "exp": None}]},
    ],
)
def test_a_malformed_set_is_refused(changes: dict[str, Any]) -> None:
    """Also where the root signed it: another version, missing members, two keys of one id."""
    with pytest.raises(EnvelopeError):
        open_payload(**changes)


def test_members_of_the_future_are_ignored() -> None:
    """They are signed, and an older daemon goes on."""
    assert open_payload(extra=[1, 2]).ver == 1


def test_a_public_key_is_32_bytes() -> None:
    """Anything else is refused in the documented way."""
    assert public_text(public_key(ENTRY.pub)) == ENTRY.pub
    for text in ("", "AAAA", ENTRY.pub + "=", ENTRY.pub[:-1], "é"):
        with pytest.raises(EnvelopeError):
            public_key(text)


def test_a_root_key_is_pinned_as_text() -> None:
    """What is written is read again; nothing else is."""
    text = root_text(ROOT.public_key())
    assert parse_root(text) == ROOT.public_key()
    for other in (text[5:], text[:-1], text + "A", "mgr2_" + text[5:], "", "mgr1_"):
        with pytest.raises(EnvelopeError):
            parse_root(other)
