"""Secrets at rest: ``mgs1.<kid>.<wrapped key>.<ciphertext>``.

Each secret has a data key of its own (AES-256-GCM), which is wrapped by the key-encryption key,
the KEK. Table, row, field, key id and version are authenticated with both, so that a ciphertext
moved to another place does not open. One data key a secret: the limits of random nonces never
matter.

The KEK lives outside the database, in a key file (0600). Python cannot wipe memory for sure: who
can read the memory of this process has the secrets.
"""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .envelope import decode64, encode64

KEY_FILE = "secrets.key"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class SecretsError(Exception):
    """The secrets cannot be opened; the message says what to do. Nothing was changed."""


@dataclass(frozen=True)
class Place:
    """Where a secret lies; authenticated with it."""

    table: str
    row: str
    field: str
    version: int = 1


@dataclass(frozen=True)
class SecretBox:
    """Seals and opens secrets with one KEK."""

    kek: bytes = field(repr=False)
    kid: str = "k1"

    def check_value(self) -> bytes:
        """What may be stored to recognise the KEK."""
        return hmac.digest(self.kek, b"kcv", "sha256")

    def seal(self, secret: bytes, place: Place) -> str:
        """Encrypt a secret for one place."""
        data_key = AESGCM.generate_key(256)
        about = self._about(place)
        wrapped = _encrypt(self.kek, data_key, b"dek|" + about)
        return f"mgs1.{self.kid}.{wrapped}.{_encrypt(data_key, secret, b'val|' + about)}"

    def open(self, sealed: str, place: Place) -> bytes:
        """Decrypt the secret of one place.

        Raises:
            SecretsError: it was altered, moved, or sealed with another KEK.

        """
        about = self._about(place)
        try:
            version, kid, wrapped, ciphertext = sealed.split(".")
            if (version, kid) != ("mgs1", self.kid):
                raise ValueError("another format or key")
            data_key = _decrypt(self.kek, wrapped, b"dek|" + about)
            return _decrypt(data_key, ciphertext, b"val|" + about)
        except (ValueError, InvalidTag):
            raise SecretsError(
                f"the {place.field} of {place.table} does not open with this key: the database or "
                f"{KEY_FILE} was altered or exchanged; restore both from the same backup"
            ) from None

    def _about(self, place: Place) -> bytes:
        parts = ("mgs1", place.table, place.row, place.field, self.kid, str(place.version))
        return b"|".join(part.encode() for part in parts)


def open_box(path: Path, known_check_value: bytes | None) -> SecretBox:
    """Open the KEK in a key file, or make it for a new database.

    Args:
        path: the key file.
        known_check_value: of the KEK with which stored secrets were sealed, if there are any.

    Raises:
        SecretsError: the key file is missing or another one while secrets exist, is readable by
            others, or is damaged. A new key is never made over old secrets.

    """
    try:
        key = _read_key(path)
        if key is None and known_check_value is None:
            key = _make_key(path)
    except OSError as error:
        raise SecretsError(f"{path} cannot be used: {error.strerror}") from error
    if key is None:
        raise SecretsError(
            f"{path} is missing, but the database holds secrets sealed with it; restore the file "
            "from a backup, or start over with an empty home folder and new tokens"
        )
    box = SecretBox(key)
    if known_check_value is not None and not hmac.compare_digest(
        box.check_value(), known_check_value
    ):
        raise SecretsError(
            f"{path} is not the key with which the database's secrets were sealed; restore the "
            "right file from a backup"
        )
    return box


def _read_key(path: Path) -> bytes | None:
    try:
        mode, text = path.stat().st_mode, path.read_bytes()
    except FileNotFoundError:
        return None
    if os.name == "posix" and mode & 0o077:
        raise SecretsError(f"{path} is readable by other users; run: chmod 600 {path}")
    try:
        key = decode64(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise SecretsError(f"{path} is damaged: it must hold 43 base64url characters")
    return key


def _make_key(path: Path) -> bytes:
    """Make a key file, whole and on the disk before anything is sealed with it."""
    key = secrets.token_bytes(_KEY_BYTES)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(encode64(key) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return key


def _encrypt(key: bytes, plain: bytes, about: bytes) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return encode64(nonce + AESGCM(key).encrypt(nonce, plain, about))


def _decrypt(key: bytes, text: str, about: bytes) -> bytes:
    data = decode64(text)
    return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], about)
