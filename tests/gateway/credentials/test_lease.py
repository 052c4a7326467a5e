"""The rules of leases, events and states: envelopes of one kind each, from the console's keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.credentials.device import device_id
from gateway.credentials.envelope import EnvelopeError, Kind, seal
from gateway.credentials.event import open_event, open_state
from gateway.credentials.lease import LEASE_S, open_lease

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"op1": KEY.public_key()}
NOW = 1_800_000_000
DID = device_id(KEY.public_key())
COMMON = {"v": 1, "iss": "console", "aud": "mtgw-daemon", "did": DID, "iat": NOW}
PAYLOADS: dict[Kind, dict[str, Any]] = {
    "lease": COMMON
    | {
        "lid": "l1",
        "tid": "A1b2C3d4E5f6",
        "rec_ver": 1,
        "dev_ver": 1,
        "epoch": 0,
        "nbf": NOW,
        "exp": NOW + LEASE_S,
        "renew_after": NOW + 300,
        "server_time": NOW,
    },
    "evt": COMMON
    | {"seq": 1, "type": "token.revoked", "tid": "A1b2C3d4E5f6", "rec_ver": 2, "epoch": 1},
    "state": COMMON | {"seq": 1, "tids": ["A1b2C3d4E5f6"]},
}
OPENERS: dict[Kind, Callable[..., Any]] = {
    "lease": open_lease,
    "evt": open_event,
    "state": open_state,
}
KINDS: list[Kind] = ["lease", "evt", "state"]
REQUIRED = [
    (kind, name)
    for kind in KINDS
    for name in PAYLOADS[kind]
    if (kind, name) not in {("evt", "tid"), ("evt", "rec_ver"), ("evt", "epoch")}
]


def sealed(kind: Kind, **changes: Any) -> str:
    payload = PAYLOADS[kind] | changes
    return seal(kind, "op1", {k: v for k, v in payload.items() if v is not ...}, KEY)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_console_signed_is_read(kind: Kind) -> None:
    """Member by member; one that we don't know yet is ignored."""
    opened = OPENERS[kind](sealed(kind, new_member=1), KEYS)
    said = opened.model_dump(mode="json")
    assert {name: said[name] for name in PAYLOADS[kind]} == PAYLOADS[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_one_kind_is_not_taken_for_another(kind: Kind, other: Kind) -> None:
    """Not even with the members of the other."""
    if kind != other:
        with pytest.raises(EnvelopeError):
            OPENERS[other](seal(kind, "op1", PAYLOADS[other], KEY), KEYS)


@pytest.mark.parametrize(("kind", "name"), REQUIRED)
def test_no_member_may_be_missing(kind: Kind, name: str) -> None:
    """Each that decides anything has to be there."""
    with pytest.raises(EnvelopeError):
        OPENERS[kind](sealed(kind, **{name: ...}), KEYS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"v": True}, {"aud": "other"}, {"did": DID.upper()}, {"did": ""}, {"iat": "1"}],
)
def test_members_are_strict(kind: Kind, changes: dict[str, Any]) -> None:
    """Of another version, audience or type it is refused."""
    with pytest.raises(EnvelopeError):
        OPENERS[kind](sealed(kind, **changes), KEYS)


def test_no_lease_is_for_longer_than_a_quarter_of_an_hour() -> None:
    """Even the console cannot give one."""
    assert open_lease(sealed("lease"), KEYS).exp == NOW + LEASE_S
    with pytest.raises(EnvelopeError):
        open_lease(sealed("lease", exp=NOW + LEASE_S + 1), KEYS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_key_does_not_count(kind: Kind) -> None:
    """Only keys of the pinned set do."""
    with pytest.raises(EnvelopeError):
        OPENERS[kind](sealed(kind), {"op2": KEY.public_key()})
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    with pytest.raises(EnvelopeError):
        OPENERS[kind](sealed(kind), {"op1": other.public_key()})
