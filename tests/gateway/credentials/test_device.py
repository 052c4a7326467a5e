"""The rules of device ids and of signed requests."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.device import (
    DEVICE_ID,
    HEADER_DEVICE,
    HEADER_NONCE,
    HEADER_SIGNATURE,
    HEADER_TIME,
    BadRequestSignature,
    ClockSkewed,
    RequestProof,
    check_request,
    device_id,
    device_label,
    device_words,
    sign_request,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
DID = device_id(KEY.public_key())
NOW = 1_800_000_000
PATH = "/v1/daemon/sync?x=1"
BODY = b'{"since":0}'


def headers(**changes: str) -> dict[str, str]:
    return sign_request(KEY, "POST", PATH, BODY, time_s=NOW) | changes


def check(sent: dict[str, str], **changes: object) -> RequestProof:
    request: dict[str, object] = {"method": "POST", "path": PATH, "body": BODY, "now_s": NOW}
    return check_request(sent, KEY.public_key(), **(request | changes))  # type: ignore[arg-type]  # the test mixes types


def test_the_id_is_a_fingerprint_of_the_key() -> None:
    """52 characters, the same for ever; another key has another."""
    assert DID == "kzdvvj2umnduyauf35o36k6kw462mujvra46tn3uqgzovmihocga"
    assert device_id(KEY.public_key()) == DID != device_id(OTHER.public_key())
    assert DEVICE_ID.fullmatch(DID)


def test_words_and_label_are_for_people() -> None:
    """Four words that can be said aloud; the label holds the whole id."""
    assert re.fullmatch(
        r"([bdfghjklmnprstvz][aiou]){2}[bdfghjklmnprstvz](-\w{5}){3}", device_words(DID)
    )
    assert device_label(DID).replace("-", "").lower() == DID
    assert device_words(DID) != device_words(device_id(OTHER.public_key()))


def test_a_signed_request_is_the_devices() -> None:
    """What was signed verifies, within a minute of our clock."""
    sent = headers()
    assert check(sent) == RequestProof(DID, NOW, sent[HEADER_NONCE])
    for skew in (-60, 60):
        assert check(sent, now_s=NOW + skew).time_s == NOW


@pytest.mark.parametrize("skew", [-61, 61, 86_400])
def test_another_time_is_told_apart(skew: int) -> None:
    """A wrong clock has an error of its own, but the signature counts first."""
    with pytest.raises(ClockSkewed):
        check(headers(), now_s=NOW + skew)
    forged = sign_request(KEY, "POST", PATH, b"another body", time_s=NOW)
    with pytest.raises(BadRequestSignature) as caught:
        check(forged, now_s=NOW + skew)
    assert not isinstance(caught.value, ClockSkewed)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "GET"},
        {"path": "/v1/daemon/sync"},
        {"path": PATH + "&y=2"},
        {"body": BODY + b" "},
        {"body": b""},
    ],
)
def test_nothing_of_the_request_can_be_changed(changes: dict[str, object]) -> None:
    """Method, path with query, and body are signed."""
    with pytest.raises(BadRequestSignature):
        check(headers(), **changes)


@pytest.mark.parametrize("name", [HEADER_DEVICE, HEADER_TIME, HEADER_NONCE, HEADER_SIGNATURE])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda value: value[:-1],
        lambda value: value + "A",
        lambda value: value.swapcase() + " ",
        lambda value: value.replace(value[0], "2" if value[0] != "2" else "3", 1),
    ],
)
def test_no_header_can_be_changed(name: str, spoil: Callable[[str], str]) -> None:
    """Neither missing, nor longer, shorter or other."""
    sent = headers()
    with pytest.raises(BadRequestSignature):
        check(sent | {name: spoil(sent[name])})


def test_another_devices_signature_does_not_count() -> None:
    """Neither under its own name nor under ours."""
    theirs = sign_request(OTHER, "POST", PATH, BODY, time_s=NOW)
    for sent in (theirs, theirs | {HEADER_DEVICE: DID}):
        with pytest.raises(BadRequestSignature):
            check(sent)


@given(st.lists(st.binary(max_size=80), min_size=4, max_size=4))
def test_garbage_is_refused(parts: list[bytes]) -> None:
    """Whatever the headers hold, the error is ours."""
    names = (HEADER_DEVICE, HEADER_TIME, HEADER_NONCE, HEADER_SIGNATURE)
    sent = {name: part.decode("latin-1") for name, part in zip(names, parts, strict=True)}
    with pytest.raises(BadRequestSignature):
        check(sent)


def test_each_request_has_its_own_nonce() -> None:
    """Or a replay could not be told from a repetition."""
    assert len({headers()[HEADER_NONCE] for _ in range(1000)}) == 1000
