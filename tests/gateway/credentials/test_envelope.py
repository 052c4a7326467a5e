"""The rules of the signed envelope."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.envelope import (
    MAX_ENVELOPE,
    EnvelopeError,
    decode64,
    encode64,
    key_id,
    open_envelope,
    pae,
    seal,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"op1": KEY.public_key()}
PAYLOAD = {
    "v": 1,
    "tid": "A1b2C3d4E5f6",
    "name": "Zürich \U0001f600",
    "n": -3,
    "list": [1, None, True],
    "o": {"b": 2, "a": ""},
}
VECTOR = (
    "mg1.rec.op1.eyJsaXN0IjpbMSxudWxsLHRydWVdLCJuIjotMywibmFtZSI6IlpcdTAwZmNyaWNoIFx1ZDgzZFx1ZGUw"
    "MCIsIm8iOnsiYSI6IiIsImIiOjJ9LCJ0aWQiOiJBMWIyQzNkNEU1ZjYiLCJ2IjoxfQ.j31KPsaGGqB2wMDvF0CIN6reD"
    "f85ytlR7PXcLplgqs0Kjlyg4B1dpxfeHy-7d5ghDJFjfOYxccUy1CCyvSujAw"
)
KINDS = ["keys", "rec", "lease", "evt", "state", "ckpt"]


def signed(body: bytes, kind: str = "rec", kid: str = "op1") -> str:
    """Return an envelope with a right signature around any bytes."""
    signature = KEY.sign(pae(b"mg1", kind.encode(), kid.encode(), body))
    return f"mg1.{kind}.{kid}.{encode64(body)}.{encode64(signature)}"


def is_refused(envelope: str, kind: Any = "rec") -> bool:
    try:
        open_envelope(envelope, kind, KEYS)
    except EnvelopeError:
        return True
    return False


def test_the_vector_of_the_design() -> None:
    """Byte for byte: other implementations sign the same."""
    assert seal("rec", "op1", PAYLOAD, KEY) == VECTOR
    assert open_envelope(VECTOR, "rec", KEYS) == PAYLOAD
    assert key_id(VECTOR) == "op1"
    assert pae(b"mg1", b"", b"ab").hex() == (
        "0300000000000000" + "0300000000000000" + "6d6731" + "0000000000000000"
        "0200000000000000" + "6162"
    )


@pytest.mark.parametrize("wanted", KINDS)
def test_a_kind_cannot_be_passed_off_as_another(wanted: str) -> None:
    """Neither as it is nor with its label changed."""
    for kind in KINDS:
        envelope = seal(kind, "op1", PAYLOAD, KEY)  # type: ignore[arg-type]
        assert is_refused(envelope, wanted) == (kind != wanted)
        relabelled = envelope.replace(f".{kind}.", f".{wanted}.", 1)
        assert is_refused(relabelled, wanted) == (kind != wanted)


def test_an_unknown_key_is_refused() -> None:
    """Also one that signs under the id of a known one."""
    other = Ed25519PrivateKey.generate()
    assert is_refused(seal("rec", "op2", PAYLOAD, KEY))
    assert is_refused(seal("rec", "op1", PAYLOAD, other))
    assert not is_refused(seal("rec", "op1", PAYLOAD, KEY))


def test_a_signature_does_not_move_to_another_key_id() -> None:
    """The key id is signed too, even where both ids mean one key."""
    envelope = seal("rec", "op1", PAYLOAD, KEY).replace(".op1.", ".op2.")
    with pytest.raises(EnvelopeError):
        open_envelope(envelope, "rec", {"op1": KEY.public_key(), "op2": KEY.public_key()})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"{",
        b"{} ",
        b'{"a":1}{}',
        b'{"a":1,"a":2}',
        b'{"o":{"a":1,"\\u0061":2}}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"{'a':1}",
        b'{"a":1,}',
        b"[" * 6000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        '{"a":1}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_signed_body_that_is_not_our_json_is_refused(body: bytes) -> None:
    """The signature is right, the parser is strict: two readers never see two things."""
    assert is_refused(signed(body)) == (body != b"{} ")


def test_a_body_need_not_be_canonical() -> None:
    """What was signed is verified as it came."""
    assert open_envelope(signed(b'{ "b": 1, "a": 2 }'), "rec", KEYS) == {"a": 2, "b": 1}


def test_base64_has_one_form() -> None:
    """No padding, no other alphabet, no stray bits: an envelope has one spelling."""
    assert decode64("") == b""
    assert decode64("_-8") == b"\xff\xef"
    for text in ("_-9", "_-8=", "/+8", "A", "AAAAA", "AA A", "AA\n", "\uff21", "é"):
        with pytest.raises(ValueError, match="base64url"):
            decode64(text)


@given(st.binary(max_size=100))
def test_base64_gives_back_what_went_in(data: bytes) -> None:
    """Any bytes."""
    assert decode64(encode64(data)) == data


def test_an_envelope_over_the_limit_is_neither_made_nor_opened() -> None:
    """16 KiB of text."""
    with pytest.raises(ValueError, match="more than"):
        seal("rec", "op1", {"a": "x" * MAX_ENVELOPE}, KEY)
    assert is_refused(signed(json.dumps({"a": "x" * MAX_ENVELOPE}).encode()))


def test_what_is_no_whole_number_is_not_signed() -> None:
    """NaN has no JSON."""
    with pytest.raises(ValueError, match="JSON"):
        seal("rec", "op1", {"a": float("nan")}, KEY)


@given(st.text(max_size=200))
def test_any_text_is_refused_in_the_documented_way(text: str) -> None:
    """No other exception."""
    assert is_refused(text)
    assert is_refused(f"mg1.rec.op1.{text}")
    assert isinstance(key_id(text), str)


# --- mutants -------------------------------------------------------------------------------

OTHER = seal("rec", "op1", {**PAYLOAD, "tid": "ZZZZZZZZZZZZ"}, KEY)
CHARACTERS = string.ascii_letters + string.digits + "-_.=+/ \n\0é"


def mutant(chance: random.Random) -> str:
    """Return an envelope that differs from every one that was signed."""
    text = VECTOR
    while text in (VECTOR, OTHER):
        for _ in range(chance.randint(1, 3)):
            text = chance.choice(MUTATIONS)(text, chance)
    return text


def _replace(text: str, chance: random.Random) -> str:
    i = chance.randrange(len(text))
    return text[:i] + chance.choice(CHARACTERS) + text[i + 1 :]


def _insert(text: str, chance: random.Random) -> str:
    i = chance.randrange(len(text) + 1)
    return text[:i] + chance.choice(CHARACTERS) + text[i:]


def _cut(text: str, chance: random.Random) -> str:
    i = chance.randrange(len(text))
    return text[:i] + text[i + chance.randint(1, 8) :]


def _swap(text: str, chance: random.Random) -> str:
    i, j = sorted(chance.sample(range(len(text)), 2))
    return text[:i] + text[j] + text[i + 1 : j] + text[i] + text[j + 1 :]


def _flip_bit(text: str, chance: random.Random) -> str:
    """Flip a bit of body or signature, and encode it again: canonical, but altered."""
    parts = text.split(".")
    try:
        data = bytearray(decode64(parts[-1 - chance.randrange(2)]))
    except ValueError:
        return _replace(text, chance)
    if len(parts) != 5 or not data:
        return _replace(text, chance)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    parts[-1 if len(data) == 64 else -2] = encode64(bytes(data))
    return ".".join(parts)


def _graft(text: str, chance: random.Random) -> str:
    """Take one part from another envelope of the same key."""
    parts, others = text.split("."), OTHER.split(".")
    i = chance.randrange(min(len(parts), len(others)))
    parts[i] = others[i]
    return ".".join(parts)


def _relabel(text: str, chance: random.Random) -> str:
    parts = text.split(".")
    parts[chance.randrange(min(3, len(parts)))] = chance.choice(["mg1", "mg2", "op2", *KINDS])
    return ".".join(parts)


MUTATIONS = [_replace, _insert, _cut, _swap, _flip_bit, _graft, _relabel]


def accepted(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)  # noqa: S311  # it has to be repeatable
    mutants = (mutant(chance) for _ in range(count))
    return [text for text in mutants if not all(is_refused(text, kind) for kind in KINDS)]


def test_no_mutant_is_accepted() -> None:
    """2,000 altered envelopes, as any kind."""
    assert accepted(2_000, seed=1) == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_mutant_of_many_is_accepted() -> None:
    """100,000 of them."""
    assert accepted(100_000, seed=2) == []
