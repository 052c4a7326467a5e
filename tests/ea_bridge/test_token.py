"""The rules of the token, with the vectors of the design."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea_bridge.token import (
    ALPHABET,
    TOKEN_LENGTH,
    MalformedToken,
    client_key,
    derive_keys,
    new_token,
    parse_token,
)

TOKEN = "mgt_A1b2C3d4E5f60123456789abcdefghijABCDEFGHIJkl1Scs9g"  # a vector


def test_the_vector_of_the_design() -> None:
    """Token, public id and both stored keys."""
    keys = derive_keys(TOKEN)
    assert parse_token(TOKEN) == "A1b2C3d4E5f6"
    assert keys.stored_key.hex() == (
        "e50d41492c8ec10a1f48e2739237b8a148fd4dbcd04f4bf8679ab91fe6568b20"
    )
    assert keys.server_key.hex() == (
        "4e17a1be707886e7e745f9c1179971b0a947553442bee14bb85e3a8c25da301b"
    )
    assert hashlib.sha256(client_key(TOKEN)).digest() == keys.stored_key


def test_a_new_token_is_well_formed_and_new() -> None:
    """54 characters that a scanner for leaked secrets finds; never the same twice."""
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    for token in tokens:
        assert len(token) == TOKEN_LENGTH
        assert re.fullmatch(r"\bmgt_[0-9A-Za-z]{50}\b", token)
        assert parse_token(token) == token[4:16]


@given(place=st.integers(4, TOKEN_LENGTH - 1), char=st.sampled_from(ALPHABET))
def test_every_single_typing_error_is_found(place: int, char: str) -> None:
    """By the checksum alone, without a lookup."""
    mistyped = TOKEN[:place] + char + TOKEN[place + 1 :]
    if mistyped != TOKEN:
        with pytest.raises(MalformedToken, match="mistyped"):
            parse_token(mistyped)


def test_every_swap_of_neighbours_is_found() -> None:
    """So is the other error that hands make."""
    for i in range(4, TOKEN_LENGTH - 1):
        swapped = TOKEN[:i] + TOKEN[i + 1] + TOKEN[i] + TOKEN[i + 2 :]
        if swapped != TOKEN:
            with pytest.raises(MalformedToken):
                parse_token(swapped)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mgt_",
        TOKEN[:-1],
        TOKEN + "x",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.upper(),
        "MGT_" + TOKEN[4:],
        "mgt_" + "é" * 50,
        "mgt_" + "٣" * 50,
        "\ud800" * 54,
    ],
    ids=ascii,
)
def test_other_text_is_no_token(text: str) -> None:
    """Nothing is trimmed or folded."""
    with pytest.raises(MalformedToken):
        parse_token(text)


def test_keys_do_not_show() -> None:
    """What is printed of keys gives nothing away."""
    keys = derive_keys(TOKEN)
    assert keys.stored_key.hex() not in repr(keys)
    assert "\\x" not in repr(keys)
