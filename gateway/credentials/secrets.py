"""Secrets at rest: ``mgs1.<kid>.<wrapped key>.<ciphertext>``.

Each secret has a data key of its own (AES-256-GCM), which is wrapped by the key-encryption key,
the KEK. Table, row, field, key id and version are authenticated with both, so that a ciphertext
moved to another place does not open. One data key a secret: the limits of random nonces never
matter.

The KEK lives outside the database, in one of the stores of :mod:`.key_store`. Python cannot wipe
memory for sure: who can read the memory of this process has the secrets.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ea_bridge import host

from .envelope import decode64, encode64

_NONCE_BYTES = 12
KEY_BYTES = 32
SALT_BYTES = 16


class SecretsError(Exception):
    """The secrets cannot be opened; the message says what to do. Nothing was changed."""


@dataclass(frozen=True)
class Place:
    """Place of a secret; authenticated with it."""

    table: str
    row: str
    field: str
    version: int = 1


@dataclass(frozen=True)
class SealedColumn:
    """A column of texts that a :class:`SecretBox` sealed; where it is NULL, nothing is.

    The exchange of a key has to know them all.

    Args:
        table: its name.
        key: the column that identifies a row, of type TEXT.
        column: the sealed one.

    """

    table: str
    key: str
    column: str

    def place(self, row: str) -> Place:
        """Return where the secret of one row lies."""
        return Place(self.table, row, self.column)


@dataclass(frozen=True)
class KnownKey:
    """Facts that the database keeps of the KEK with which its secrets are sealed."""

    check_value: bytes
    store: str
    salt: bytes
    kid: str = "k1"


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
        # one key a secret: a nonce that comes twice under one key would give both away
        data_key = host.random_bytes(KEY_BYTES)
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
                "the key was altered or exchanged; restore both from the same backup"
            ) from None

    def rewrap(self, sealed: str, place: Place, old: SecretBox) -> str:
        """Seal anew what another box has sealed; the id of the key is authenticated everywhere,
        so that the secret itself is encrypted again as well, under a data key of its own.

        Raises:
            SecretsError: the other box does not open it.

        """
        return self.seal(old.open(sealed, place), place)

    def _about(self, place: Place) -> bytes:
        parts = ("mgs1", place.table, place.row, place.field, self.kid, str(place.version))
        return b"|".join(part.encode() for part in parts)


class KeyStore(Protocol):
    """Store in which a KEK lies."""

    @property
    def name(self) -> str:
        """The setting ``[secrets] store``."""

    @property
    def place(self) -> str:
        """What a person calls the place."""

    @property
    def remedy(self) -> str:
        """What to do about a key that is lost or another one."""

    def find(self, salt: bytes, *, new: bool) -> bytes | None:
        """Return the KEK, or ``None`` if there is none.

        Args:
            salt: random and public; one for each home.
            new: nothing is sealed yet.

        Raises:
            SecretsError: the store cannot be used, or is not safe.

        """

    def make(self, salt: bytes) -> bytes:
        """Make a KEK and keep it, before anything is sealed with it.

        Asked for a salt that is new, where :meth:`find` found none.

        Raises:
            SecretsError: the store cannot be used, or makes no keys.

        """

    def forget(self, known: KnownKey) -> None:
        """Delete a KEK that seals nothing any more; nothing happens where there is none.

        Args:
            known: as noted; without check value if it may never have been made.

        Raises:
            SecretsError: the store cannot be used.

        """


def known_box(keys: KeyStore, known: KnownKey) -> SecretBox:
    """Open the KEK of secrets that exist.

    Raises:
        SecretsError: it is missing or another one. A new key is never made over old secrets.

    """
    key = keys.find(known.salt, new=False)
    other = "" if known.store == keys.name else f' (it was made with store = "{known.store}")'
    if key is None:
        raise SecretsError(
            f"{keys.place} is missing, but the database holds secrets sealed with a key{other}; "
            f"{keys.remedy}, or start over with an empty home folder and new tokens"
        )
    box = SecretBox(key, known.kid)
    # before anything is opened: under another key every secret would look damaged
    if not hmac.compare_digest(box.check_value(), known.check_value):
        raise SecretsError(
            f"{keys.place} is not the key with which the database's secrets were sealed{other}; "
            f"{keys.remedy}"
        )
    return box


def encode_key(key: bytes) -> str:
    """Return a KEK as the stores keep it: 43 base64url characters."""
    return encode64(key)


def decode_key(text: str | bytes, place: str) -> bytes:
    """Read what :func:`encode_key` wrote; white space around it does not matter.

    Raises:
        SecretsError: it is something else.

    """
    try:
        key = decode64((text if isinstance(text, str) else text.decode("ascii")).strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretsError(f"{place} is damaged: it must hold 43 base64url characters")
    return key


def _encrypt(key: bytes, plain: bytes, about: bytes) -> str:
    nonce = host.random_bytes(_NONCE_BYTES)
    return encode64(nonce + AESGCM(key).encrypt(nonce, plain, about))


def _decrypt(key: bytes, text: str, about: bytes) -> bytes:
    data = decode64(text)
    return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], about)
