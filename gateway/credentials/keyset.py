"""Keys that sign: the set that the pinned root key has signed, and an issuer's private keys.

The root key signs key sets, dated; operational keys of a set sign the rest.

:data:`TABLES` are those of the local issuer. A database is opened with all tables of the gateway,
never with these alone: :class:`gateway.home.home.Home` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Annotated, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from ea_bridge import host
from gateway.storage.store import Store

from .envelope import EnvelopeError, Kind, decode64, encode64, open_envelope, seal
from .record import First, Seconds, Signed
from .secrets import Place, SealedColumn, SecretBox, SecretsError

TABLES = """
-- the keys that seal secrets, to recognise them; they themselves lie elsewhere
CREATE TABLE secret_keys (
    kid TEXT PRIMARY KEY,
    check_value BLOB NOT NULL
) STRICT;

-- 'root' and the operational keys, in the order of their making; the private part is sealed
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    private_key TEXT NOT NULL,
    nbf INTEGER NOT NULL,
    exp INTEGER
) STRICT;

CREATE TABLE key_sets (
    ver INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL
) STRICT;

-- what is said of each token; the server key is sealed
CREATE TABLE records (
    tid TEXT PRIMARY KEY,
    envelope TEXT NOT NULL,
    server_key TEXT NOT NULL
) STRICT;
"""

KEY_STORES = """
-- where the key was made, and what is random and public of the home: the name of its key in a
-- keyring, the salt of its passphrase
ALTER TABLE secret_keys ADD COLUMN store TEXT NOT NULL DEFAULT 'file';
ALTER TABLE secret_keys ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
"""

KEY_STATES = """
-- 'current' seals everything; 'coming' and 'retired' ones seal nothing: their keys are to be
-- deleted where they lie. When a recovery kit of the key was printed, in seconds.
ALTER TABLE secret_keys ADD COLUMN state TEXT NOT NULL DEFAULT 'current'
    CHECK (state IN ('coming', 'current', 'retired'));
ALTER TABLE secret_keys ADD COLUMN kit_at INTEGER;
CREATE UNIQUE INDEX one_current_key ON secret_keys (state) WHERE state = 'current';
"""

PRIVATE_KEYS = SealedColumn("signing_keys", "kid", "private_key")
SERVER_KEYS = SealedColumn("records", "tid", "server_key")
SEALED = (PRIVATE_KEYS, SERVER_KEYS)
"""What is sealed in these tables."""


ROOT_KID = "root"
ROOT_PREFIX = "mgr1_"
KEY_BYTES = 32
"""Of a private key: any there are make one (RFC 8032)."""
DAY_S = 86_400
KEY_DAYS = 90
"""Life of an operational key."""
SET_DAYS = 180
"""The most that a set may last."""
SKEW_S = 60
"""Clocks may differ so much before a beginning is in the future; an end has no such grace."""
OPERATIONAL: tuple[Kind, ...] = ("rec", "lease", "evt", "state", "alert", "call")
"""What operational keys sign; sets are signed by the root alone."""


OVERLAP_DAYS = 14
"""A new operational key is made so long before the old one ends."""


class KeyEntry(Signed):
    """One key: seconds since 1970 for ``nbf`` (not before) and ``exp`` (exclusive)."""

    kid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    pub: str
    use: Annotated[tuple[str, ...], Field(strict=False)]
    """Kinds of envelope; one that we don't know yet does no harm."""
    nbf: Seconds
    exp: Seconds

    def counts(self, kind: Kind, now_s: int) -> bool:
        """Whether a signature of this key on such an envelope counts at a time."""
        # never sets: an operational key could sign one that names itself, and never end
        return kind in self.use and kind != "keys" and self.nbf - SKEW_S <= now_s < self.exp


class KeySet(Signed):
    """The payload of a ``keys`` envelope."""

    v: First
    iss: str
    ver: Annotated[int, Field(ge=1, le=2**53)]
    """Only grows; an older set than one already seen is refused by who keeps it."""
    iat: Seconds
    exp: Seconds
    keys: Annotated[tuple[KeyEntry, ...], Field(strict=False)]

    def is_dated(self, now_s: int) -> bool:
        """Whether the set as such is valid at a time."""
        return self.iat - SKEW_S <= now_s < self.exp

    def keys_for(self, kind: Kind, now_s: int) -> dict[str, Ed25519PublicKey]:
        """Return the keys whose signature on ``kind`` counts now, by key id."""
        if not self.is_dated(now_s):
            return {}
        return {
            entry.kid: public_key(entry.pub) for entry in self.keys if entry.counts(kind, now_s)
        }

    def vouches_until(self, kid: str) -> int:
        """Return when signatures of a key stop to count; 0 for a key that is not in the set."""
        return min(
            self.exp, max((entry.exp for entry in self.keys if entry.kid == kid), default=0)
        )


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key from base64url.

    Raises:
        EnvelopeError: it is none.

    """
    try:
        return Ed25519PublicKey.from_public_bytes(decode64(text))
    except (ValueError, UnsupportedAlgorithm):
        raise EnvelopeError("not an Ed25519 public key") from None


def new_key() -> Ed25519PrivateKey:
    """Make a private key, from the host's randomness."""
    return Ed25519PrivateKey.from_private_bytes(host.random_bytes(KEY_BYTES))


def public_text(key: Ed25519PublicKey) -> str:
    """Write a public key as base64url."""
    return encode64(key.public_bytes_raw())


def root_text(key: Ed25519PublicKey) -> str:
    """Write a root key as people pin it, in ``[console] root``."""
    return ROOT_PREFIX + public_text(key)


def parse_root(text: str) -> Ed25519PublicKey:
    """Read a root key that somebody pinned.

    Raises:
        EnvelopeError: it is none.

    """
    if not text.startswith(ROOT_PREFIX):
        raise EnvelopeError(f"a root key starts with {ROOT_PREFIX}")
    return public_key(text.removeprefix(ROOT_PREFIX))


def sign_keyset(
    root: Ed25519PrivateKey, keys: Sequence[KeyEntry], *, iss: str, version: int, now_s: int
) -> str:
    """Return a ``keys`` envelope for :data:`SET_DAYS` days."""
    payload = KeySet(
        v=1,
        iss=iss,
        ver=version,
        iat=now_s,
        exp=now_s + SET_DAYS * DAY_S,
        keys=tuple(keys),
    )
    return seal("keys", ROOT_KID, payload.model_dump(mode="json"), root)


def open_keyset(envelope: str, root: Ed25519PublicKey) -> KeySet:
    """Verify a ``keys`` envelope against the pinned root; its dates are for who uses it.

    Raises:
        EnvelopeError: it is not one, lacks a member, lasts too long, or is ambiguous.

    """
    payload = open_envelope(envelope, "keys", {ROOT_KID: root})
    try:
        keyset = KeySet.model_validate(payload)
    except ValidationError:
        raise EnvelopeError("a key set lacks a member or has one of a wrong type") from None
    if keyset.exp - keyset.iat > SET_DAYS * DAY_S:
        raise EnvelopeError(f"a key set for more than {SET_DAYS} days")
    # else the order of reading would decide which of them counts
    if len({entry.kid for entry in keyset.keys}) != len(keyset.keys):
        raise EnvelopeError("a key set with two keys of one id")
    for entry in keyset.keys:
        public_key(entry.pub)
    return keyset


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
        # the old one stays in the set until it ends: envelopes of it are still about
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
