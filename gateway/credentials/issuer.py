"""The local issuer: makes tokens, and signs what is said of them.

One home folder holds both roles, issuer and daemon, but they stay apart in code: the daemon
believes nothing here that does not verify against the pinned root key. The root key signs the set
of operational keys, an operational key signs the records. Private keys and server keys lie sealed.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from sqlite3 import Connection as Sqlite
from sqlite3 import Row

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ea_bridge.token import derive_keys, new_token, parse_token
from gateway.store import Store

from .envelope import key_id, seal
from .keyset import KEY_DAYS, public_key, public_text, sign_keyset
from .record import NAME, Record, open_record
from .secrets import Place, SecretBox, SecretsError, open_box

OVERLAP_DAYS = 14
"""A new operational key is made so long before the old one ends."""
_DAY_S = 86_400

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    private_key TEXT NOT NULL,
    public_key TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE records (
    tid TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    envelope TEXT NOT NULL,
    server_key TEXT NOT NULL
) STRICT
"""

_DURATION = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": _DAY_S, "w": 7 * _DAY_S}


class IssuerError(ValueError):
    """The token cannot be made or found; the message says why."""


def parse_duration(text: str) -> int:
    """Return the seconds of ``90s``, ``45m``, ``12h``, ``30d`` or ``8w``.

    Raises:
        IssuerError: the text is none of these, or 0.

    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise IssuerError(f"{text!r} is no duration; write for example 12h, 30d or 8w")
    return int(match[1]) * _SECONDS[match[2]]


def open_secrets(store: Store, home: Path) -> SecretBox:
    """Open the box in which this store's secrets lie sealed, or make it for a new store.

    Raises:
        SecretsError: the key file does not fit the store.

    """
    known = store.one("SELECT value FROM facts WHERE name = 'kcv'")
    box = open_box(home, None if known is None else bytes(known["value"]))
    if known is None:
        with store.transaction() as db:
            db.execute("INSERT INTO facts VALUES ('kcv', ?)", (box.check_value(),))
    return box


def server_key_place(tid: str) -> Place:
    """Where a token's server key lies sealed."""
    return Place("records", tid, "server_key")


class Issuer:
    """Makes, lists and revokes tokens.

    Args:
        store: with :data:`SCHEMA`; a connection of its own, so that the daemon sees the changes.
        box: seals the private keys.
        now_s: seconds since 1970.

    Raises:
        SecretsError: the private keys do not open with this box.

    """

    def __init__(
        self, store: Store, box: SecretBox, now_s: Callable[[], int] = lambda: int(time.time())
    ) -> None:
        self._store = store
        self._box = box
        self._now_s = now_s
        self.renew()

    def create(
        self,
        name: str,
        *,
        scopes: Collection[str] = ("trade",),
        lifetime_s: int | None = None,
        platform: str | None = None,
    ) -> tuple[str, Record]:
        """Make a token for the terminal ``name``; the only time that it is seen.

        Raises:
            IssuerError: the name is malformed or has a live token already.

        """
        if not NAME.fullmatch(name):
            raise IssuerError("a name has 1 to 64 letters, digits, dots, dashes or underscores")
        token, now_s = new_token(), self._now_s()
        keys = derive_keys(token)
        record = Record.model_validate(
            {
                "iss": "local",
                "tid": parse_token(token),
                "label": name,
                "platform": platform,
                "rec_ver": 1,
                "status": "active",
                "created_at": now_s,
                "exp": None if lifetime_s is None else now_s + lifetime_s,
                "scopes": sorted(set(scopes)),
                "stored_key": keys.stored_key.hex(),
                "server_key_sha256": hashlib.sha256(keys.server_key).hexdigest(),
            }
        )
        with self._store.transaction() as db:
            if any(one.label == name and self.is_live(one) for one in self.list()):
                raise IssuerError(
                    f"the terminal {name!r} has a token already; revoke it or use another name"
                )
            sealed = self._box.seal(keys.server_key, server_key_place(record.tid))
            values = (record.tid, name, self._sign(record), sealed)
            db.execute("INSERT INTO records VALUES (?, ?, ?, ?)", values)
        return token, record

    def list(self) -> list[Record]:
        """Return all records, oldest first."""
        rows = self._store.all("SELECT envelope FROM records ORDER BY rowid")
        return [self._open(row["envelope"]) for row in rows]

    def revoke(self, name_or_tid: str) -> Record:
        """End a token for good; the daemon notices within a quarter of a second.

        Raises:
            IssuerError: no live token has that name or id.

        """
        with self._store.transaction() as db:
            for record in self.list():
                named = name_or_tid in (record.label, record.tid)
                if named and record.status == "active":
                    revoked = record.model_copy(
                        update={"status": "revoked", "rec_ver": record.rec_ver + 1}
                    )
                    self._write(db, revoked)
                    return revoked
        raise IssuerError(f"no live token is called {name_or_tid!r}; see: mt-gateway token list")

    def is_live(self, record: Record) -> bool:
        """Whether the token still opens anything."""
        return record.status == "active" and (record.exp is None or self._now_s() < record.exp)

    def renew(self) -> None:
        """Make the keys that are missing or run out soon, and sign the records anew with them."""
        with self._store.transaction() as db:
            root = self._root(db)
            newest = self._newest_key()
            if newest is None or newest["expires_at"] - self._now_s() < OVERLAP_DAYS * _DAY_S:
                self._add_key(db, root)
                for record in self.list():
                    self._write(db, record)

    # --- keys ------------------------------------------------------------------------------

    def _root(self, db: Sqlite) -> Ed25519PrivateKey:
        place = Place("facts", "root", "private_key")
        row = self._store.one("SELECT value FROM facts WHERE name = 'root_private'")
        if row is not None:
            sealed = bytes(row["value"]).decode("ascii")
            return Ed25519PrivateKey.from_private_bytes(self._box.open(sealed, place))
        root = Ed25519PrivateKey.generate()
        sealed = self._box.seal(root.private_bytes_raw(), place)
        db.execute("INSERT INTO facts VALUES ('root_private', ?)", (sealed.encode(),))
        public = public_text(root.public_key()).encode()
        db.execute("INSERT INTO facts VALUES ('root_public', ?)", (public,))
        return root

    def _newest_key(self) -> Row | None:
        return self._store.one("SELECT * FROM signing_keys ORDER BY expires_at DESC")

    def _add_key(self, db: Sqlite, root: Ed25519PrivateKey) -> None:
        rows = self._store.all("SELECT kid, public_key, expires_at FROM signing_keys")
        now_s, kid = self._now_s(), f"op{len(rows) + 1}"
        key = Ed25519PrivateKey.generate()
        sealed = self._box.seal(key.private_bytes_raw(), Place("signing_keys", kid, "private_key"))
        expires = now_s + KEY_DAYS * _DAY_S
        values = (kid, sealed, public_text(key.public_key()), expires)
        db.execute("INSERT INTO signing_keys VALUES (?, ?, ?, ?)", values)
        live = {r["kid"]: public_key(r["public_key"]) for r in rows if r["expires_at"] > now_s}
        keyset = sign_keyset(
            root, live | {kid: key.public_key()}, version=len(rows) + 1, now_s=now_s
        )
        db.execute(
            "INSERT INTO facts VALUES ('keyset', ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (keyset.encode(),),
        )

    def _signing_key(self) -> tuple[str, Ed25519PrivateKey]:
        newest = self._newest_key()
        if newest is None:
            raise SecretsError("the database has no signing key; start over with an empty home")
        kid = str(newest["kid"])
        place = Place("signing_keys", kid, "private_key")
        raw = self._box.open(str(newest["private_key"]), place)
        return kid, Ed25519PrivateKey.from_private_bytes(raw)

    # --- records ---------------------------------------------------------------------------

    def _sign(self, record: Record) -> str:
        kid, key = self._signing_key()
        return seal("rec", kid, record.payload(), key)

    def _write(self, db: Sqlite, record: Record) -> None:
        db.execute(
            "UPDATE records SET envelope = ? WHERE tid = ?", (self._sign(record), record.tid)
        )

    def _open(self, envelope: str) -> Record:
        row = self._store.one(
            "SELECT public_key FROM signing_keys WHERE kid = ?", key_id(envelope)
        )
        keys = {} if row is None else {key_id(envelope): public_key(row["public_key"])}
        return open_record(envelope, keys)


def pinned_root(store: Store) -> bytes:
    """Return the public root key that this home trusts, as base64url text."""
    row = store.one("SELECT value FROM facts WHERE name = 'root_public'")
    if row is None:
        raise IssuerError("this home has no root key yet; create a token first")
    return bytes(row["value"])


def current_keyset(store: Store) -> str:
    """Return the newest ``keys`` envelope."""
    row = store.one("SELECT value FROM facts WHERE name = 'keyset'")
    if row is None:
        raise IssuerError("this home has no keys yet; create a token first")
    return bytes(row["value"]).decode("ascii")
