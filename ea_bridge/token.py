"""Shared secret of one terminal: its format, its checksum, the keys derived from it.

``mgt_`` + 12 base62 characters of public id (``tid``) + 32 of secret (190 bits) + 6 of CRC-32:
54 characters, which fit an EA input. The checksum tells a mistyped token without a lookup.

The token itself is never stored and never crosses the bridge. From it come::

    K         = HMAC(token, "mgt-bridge-v1")
    ClientKey = HMAC(K, "Client Key")     proves the holder (EA, bot)
    StoredKey = SHA256(ClientKey)         checks that proof
    ServerKey = HMAC(K, "Server Key")     proves the daemon to the EA
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN_LENGTH = 54
_TOKEN = re.compile(r"mgt_[0-9A-Za-z]{50}", re.ASCII)


class MalformedToken(ValueError):
    """The text is not a token: wrong shape, or its checksum says that it was mistyped."""


@dataclass(frozen=True)
class TokenKeys:
    """Keys that may be stored of a token: enough to check a holder, not enough to be one."""

    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(key, message, "sha256")


def new_token(choice: Callable[[str], str] = secrets.choice) -> str:
    """Return a fresh token.

    Args:
        choice: draws a letter, as nobody can guess.

    """
    body = "mgt_" + "".join(choice(ALPHABET) for _ in range(44))
    return body + _checksum(body)


def parse_token(text: str) -> str:
    """Return the public id (``tid``) of a token.

    Raises:
        MalformedToken: it was mistyped or is no token at all.

    """
    if not _TOKEN.fullmatch(text):
        raise MalformedToken("a token is mgt_ and 50 letters or digits")
    if not hmac.compare_digest(_checksum(text[:48]), text[48:]):
        raise MalformedToken("the token's checksum does not match: it was mistyped")
    return text[4:16]


def client_key(token: str) -> bytes:
    """Return the key that only a holder of the token can compute."""
    return mac(_root(token), b"Client Key")


def derive_keys(token: str) -> TokenKeys:
    """Return what a daemon stores of a token."""
    root = _root(token)
    stored = hashlib.sha256(mac(root, b"Client Key")).digest()
    return TokenKeys(stored_key=stored, server_key=mac(root, b"Server Key"))


def _root(token: str) -> bytes:
    return mac(token.encode("ascii"), b"mgt-bridge-v1")


def _checksum(body: str) -> str:
    number, text = zlib.crc32(body.encode("ascii")), ""
    while number:
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text.rjust(6, "0")
