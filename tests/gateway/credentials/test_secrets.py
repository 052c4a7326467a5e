"""The rules of secrets at rest."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.credentials.secrets import Place, SecretBox, SecretsError

BOX = SecretBox(bytes(range(32, 64)))
PLACE = Place("records", "A1b2C3d4E5f6", "server_key")
VECTOR = (
    "mgs1.k1.-lDvUZLzQmQU_5hbAntIMoKGCndInb-80GUH7aT767YZ-C_QC09v_A_iAQbzvkPcPiAFiXYo7odxzbpc."
    "TM-mAxr-p-PPfMlApXjviJe0Pz2kIQk9lQsjSTS7wZZRBfQP4g"
)
SECRET = b"hunter2 \xff"


def test_the_vector_of_the_design() -> None:
    """What another implementation sealed is opened, and the check value is the same."""
    assert BOX.open(VECTOR, PLACE) == SECRET
    assert BOX.check_value().hex() == (
        "ec18e06b8abd60bfa64e7d6be5b1b007c969f7ab56a97c77e8aa80972a3931f8"
    )


@given(st.binary(max_size=200))
def test_a_secret_comes_back(secret: bytes) -> None:
    """Any bytes."""
    assert BOX.open(BOX.seal(secret, PLACE), PLACE) == secret


def test_nothing_is_ever_sealed_the_same_way_twice() -> None:
    """Fresh data key and nonces with each write."""
    sealed = [BOX.seal(SECRET, PLACE) for _ in range(500)]
    parts = [part for text in sealed for part in text.split(".")[2:]]
    assert len(set(parts)) == 1000
    assert len({part[:16] for part in parts}) == 1000


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, table="signing_keys"),
        replace(PLACE, row="A1b2C3d4E5f7"),
        replace(PLACE, field="private_key"),
        replace(PLACE, version=2),
    ],
)
def test_a_secret_does_not_open_in_another_place(place: Place) -> None:
    """Table, row, field and version are authenticated: ciphertexts cannot be exchanged."""
    with pytest.raises(SecretsError, match="does not open"):
        BOX.open(VECTOR, place)


def test_a_secret_does_not_open_with_another_key() -> None:
    """Neither another key nor another id of the same key."""
    for box in (SecretBox(os.urandom(32)), SecretBox(BOX.kek, kid="k2")):
        with pytest.raises(SecretsError):
            box.open(VECTOR, PLACE)
    relabelled = VECTOR.replace(".k1.", ".k2.")
    with pytest.raises(SecretsError):
        SecretBox(BOX.kek, kid="k2").open(relabelled, PLACE)


def test_no_altered_ciphertext_opens() -> None:
    """Every character counts."""
    for i, char in enumerate(VECTOR):
        altered = VECTOR[:i] + ("A" if char != "A" else "B") + VECTOR[i + 1 :]
        with pytest.raises(SecretsError):
            BOX.open(altered, PLACE)


@given(st.text(max_size=80))
def test_any_text_is_refused_in_the_documented_way(text: str) -> None:
    """No other exception."""
    for sealed in (text, f"mgs1.k1.{text}", f"mgs1.k1.{text}.{text}"):
        with pytest.raises(SecretsError):
            BOX.open(sealed, PLACE)


def test_a_box_does_not_show_its_key() -> None:
    """Not when it is printed, and not in an error about it."""
    assert repr(BOX.kek) not in repr(BOX)
    with pytest.raises(SecretsError) as caught:
        BOX.open("mgs1.k1.A.A", PLACE)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_secret_is_rewrapped_for_its_place_alone() -> None:
    """Under the new id; what the old box does not open is not touched."""
    from gateway.credentials.keyset import SERVER_KEYS

    place, other = SERVER_KEYS.place("a"), SERVER_KEYS.place("b")
    old, new = SecretBox(os.urandom(32)), SecretBox(os.urandom(32), "k2")
    sealed = old.seal(b"secret", place)
    rewrapped = new.rewrap(sealed, place, old)
    assert rewrapped.startswith("mgs1.k2.")
    assert new.open(rewrapped, place) == b"secret"
    with pytest.raises(SecretsError):
        old.open(rewrapped, place)
    for wrong in (lambda: new.rewrap(sealed, other, old), lambda: old.rewrap(sealed, place, new)):
        with pytest.raises(SecretsError):
            wrong()
