"""The issuer's own keys: a root that signs key sets, and operational keys that sign the rest."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.storage.store import Store

from .envelope import Kind, seal
from .keyset import (
    DAY_S,
    KEY_DAYS,
    OPERATIONAL,
    ROOT_KID,
    SKEW_S,
    KeyEntry,
    new_key,
    public_text,
    sign_keyset,
)
from .schema import PRIVATE_KEYS
from .secrets import Place, SecretBox, SecretsError

OVERLAP_DAYS = 14
"""A new operational key is made so long before the old one ends."""


class SigningKeys:
    """Private keys in a store, sealed; opened for the moment in which they sign.

    Args:
        store: with this package's tables.
        box: seals the keys.
        iss: name of the issuer.

    Every method raises :class:`~.secrets.SecretsError` if a key does not open with the box.

    """

    def __init__(self, store: Store, box: SecretBox, iss: str) -> None:
        self._store = store
        self._box = box
        self._iss = iss

    def renew(self, db: Connection, now_s: int) -> bool:
        """Make the keys that are missing or run out soon.

        Returns:
            Whether there is a new key, with which everything has to be signed anew.

        """
        root = self._root(db, now_s)
        newest = self._store.one(f"{_OPERATIONAL_KEYS} ORDER BY rowid DESC")
        if (
            newest is not None
            and newest["nbf"] - SKEW_S <= now_s  # else the clock was wrong when it was made
            and newest["exp"] - now_s >= OVERLAP_DAYS * DAY_S
        ):
            return False
        self._add_key(db, now_s)
        self._publish(db, root, now_s)
        return True

    def sign(self, kind: Kind, payload: Mapping[str, Any]) -> str:
        """Return an envelope from the newest operational key."""
        newest = self._store.one(f"{_OPERATIONAL_KEYS} ORDER BY rowid DESC")
        if newest is None:
            raise SecretsError("the database has no signing key; start over with an empty home")
        return seal(kind, newest["kid"], payload, self._open(newest["kid"], newest["private_key"]))

    def public_keys(self) -> dict[str, Ed25519PublicKey]:
        """Return all our operational keys, also those that have ended.

        They are computed from the sealed private keys: nobody without the box can slip one in.
        """
        rows = self._store.all(_OPERATIONAL_KEYS)
        return {r["kid"]: self._open(r["kid"], r["private_key"]).public_key() for r in rows}

    def root(self) -> Ed25519PublicKey:
        """Return the key that a daemon pins."""
        row = self._store.one("SELECT private_key FROM signing_keys WHERE kid = ?", ROOT_KID)
        if row is None:
            raise SecretsError("the database has no root key; start over with an empty home")
        return self._open(ROOT_KID, row["private_key"]).public_key()

    # --- making them -----------------------------------------------------------------------

    def _root(self, db: Connection, now_s: int) -> Ed25519PrivateKey:
        rows = self._store.all("SELECT kid, private_key FROM signing_keys")
        sealed = {row["kid"]: row["private_key"] for row in rows}
        if ROOT_KID in sealed:
            return self._open(ROOT_KID, sealed[ROOT_KID])
        if sealed:  # another root would make an end of every token
            raise SecretsError("the root key is gone from the database; restore it from a backup")
        return self._make(db, ROOT_KID, now_s, None)

    def _add_key(self, db: Connection, now_s: int) -> None:
        (count,) = db.execute("SELECT count(*) FROM signing_keys").fetchone()
        self._make(db, f"op{count}", now_s, now_s + KEY_DAYS * DAY_S)

    def _make(self, db: Connection, kid: str, nbf: int, exp: int | None) -> Ed25519PrivateKey:
        key = new_key()
        sealed = self._box.seal(key.private_bytes_raw(), _place(kid))
        db.execute("INSERT INTO signing_keys VALUES (?, ?, ?, ?)", (kid, sealed, nbf, exp))
        return key

    def _publish(self, db: Connection, root: Ed25519PrivateKey, now_s: int) -> None:
        public = self.public_keys()
        entries = [
            KeyEntry(
                kid=row["kid"],
                pub=public_text(public[row["kid"]]),
                use=OPERATIONAL,
                nbf=row["nbf"],
                exp=row["exp"],
            )
            for row in self._store.all(f"{_OPERATIONAL_KEYS} AND exp > ?", now_s)
        ]
        (version,) = db.execute("SELECT coalesce(max(ver), 0) + 1 FROM key_sets").fetchone()
        envelope = sign_keyset(root, entries, iss=self._iss, version=version, now_s=now_s)
        db.execute("INSERT INTO key_sets VALUES (?, ?)", (version, envelope))

    def _open(self, kid: str, sealed: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._box.open(sealed, _place(kid)))


_OPERATIONAL_KEYS = "SELECT * FROM signing_keys WHERE exp IS NOT NULL"


def _place(kid: str) -> Place:
    return PRIVATE_KEYS.place(kid)
