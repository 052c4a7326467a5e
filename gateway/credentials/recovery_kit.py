"""A key on paper: the KEK under a passphrase, as text that a person can type in again.

Argon2id of the passphrase gives the key of AES-256-GCM and its nonce; its salt is fresh for each
kit, so that neither ever repeats. 65 bytes: version, salt, ciphertext with tag. They are written
in Crockford's Base32, which has no I, L, O and U, in four lines of seven groups; the last two
characters of each line check it and its number, so that the line with the mistake can be named.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ea_bridge import host

from .key_store.passphrase import LANES, MEMORY_KIB, MIN_CHARACTERS, PASSES, normal
from .secrets import KEY_BYTES, SALT_BYTES, SecretsError

VERSION = 1
LINES = 4
_NONCE_BYTES = 12
_TAG_BYTES = 16
_BYTES = 1 + SALT_BYTES + KEY_BYTES + _TAG_BYTES
_LINE = 28
"""Characters of a line, the two that check it among them."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_CROCKFORD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _CROCKFORD)
_FROM_CROCKFORD = str.maketrans(_CROCKFORD, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
# letters that are not in the alphabet, as the digits that they are taken for
_MISREAD = str.maketrans("ILO", "110")


class KitMistyped(SecretsError):
    """A line is not as it was printed; the message says which."""


def make_kit(kek: bytes, passphrase: str, memory_kib: int = MEMORY_KIB) -> list[str]:
    """Return the lines of a kit.

    Args:
        kek: the key.
        passphrase: of 12 characters at least.
        memory_kib: less in tests alone.

    Raises:
        SecretsError: the passphrase is too short, or there is no memory.

    """
    if len(normal(passphrase)) < MIN_CHARACTERS:
        raise SecretsError(f"a passphrase has at least {MIN_CHARACTERS} characters")
    head = bytes([VERSION]) + host.random_bytes(SALT_BYTES)
    key, nonce = _derived(passphrase, head[1:], memory_kib)
    text = base64.b32encode(head + AESGCM(key).encrypt(nonce, kek, _about(head))).decode()
    text = text.translate(_TO_CROCKFORD)
    width = _LINE - 2
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    return [_grouped(line + _check(number, line)) for number, line in enumerate(lines, 1)]


def read_line(number: int, text: str) -> str:
    """Read one line as it was typed: small letters, other spaces and O for 0 do not matter.

    Raises:
        KitMistyped: it is not the line of that number.

    """
    text = re.sub(rf"^\s*{number}[.:)]", "", text)
    line = re.sub(r"[\s-]", "", text).upper().translate(_MISREAD)
    if len(line) != _LINE:
        raise KitMistyped(f"line {number} of the kit has {len(line)} characters, not {_LINE}")
    if set(line) - set(_CROCKFORD) or _check(number, line[:-2]) != line[-2:]:
        raise KitMistyped(f"line {number} of the kit is mistyped; compare it with the paper")
    return line


def open_kit(lines: Sequence[str], passphrase: str, memory_kib: int = MEMORY_KIB) -> bytes:
    """Return the key of a kit.

    Args:
        lines: as they were printed, or typed.
        passphrase: with which it was made.
        memory_kib: as it was made.

    Raises:
        SecretsError: it is no kit, it was mistyped, or the passphrase is another one.

    """
    if len(lines) != LINES:
        raise KitMistyped(f"a kit has {LINES} lines, these are {len(lines)}")
    read = (read_line(number, line)[:-2] for number, line in enumerate(lines, 1))
    data = base64.b32decode("".join(read).translate(_FROM_CROCKFORD))
    head, sealed = data[: 1 + SALT_BYTES], data[1 + SALT_BYTES :]
    # before the passphrase: another format would look like a wrong one
    if head[0] != VERSION:
        raise SecretsError("this kit was made by a newer version of mt-gateway; install that")
    key, nonce = _derived(passphrase, head[1:], memory_kib)
    try:
        return AESGCM(key).decrypt(nonce, sealed, _about(head))
    except InvalidTag:
        raise SecretsError("this is not the passphrase of the kit; try again") from None


def _derived(passphrase: str, salt: bytes, memory_kib: int) -> tuple[bytes, bytes]:
    try:
        derived = hash_secret_raw(
            normal(passphrase).encode(),
            salt,
            PASSES,
            memory_kib,
            LANES,
            KEY_BYTES + _NONCE_BYTES,
            Type.ID,
        )
    except (HashingError, MemoryError) as error:
        raise SecretsError(
            f"there is no memory for the passphrase: {memory_kib // 1024} MiB are needed"
        ) from error
    return derived[:KEY_BYTES], derived[KEY_BYTES:]


def _about(head: bytes) -> bytes:
    return b"mgk1|" + head


def _check(number: int, line: str) -> str:
    digest = hashlib.sha256(f"mgk1|{number}|{line}".encode()).digest()
    return _CROCKFORD[digest[0] % 32] + _CROCKFORD[digest[1] % 32]


def _grouped(line: str) -> str:
    return " ".join(line[i : i + 4] for i in range(0, len(line), 4))
