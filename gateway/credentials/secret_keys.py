"""Keys that seal the secrets of a store, as its table ``secret_keys`` knows them.

One key is current, and seals everything. While it is exchanged there is another one: first it is
``coming``, noted before it is made, so that nothing is ever left in a key store of which nobody
knows; then, in the transaction that seals everything anew, it becomes the current one and the old
one is ``retired`` until its key store has deleted it.
"""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Literal

from ea_bridge import host
from gateway.storage.store import Store

from .secrets import SALT_BYTES, KeyStore, KnownKey, SecretBox, known_box

State = Literal["coming", "current", "retired"]


@dataclass(frozen=True)
class NotedKey:
    """A row."""

    known: KnownKey
    state: State
    kit_at: int | None
    """When a recovery kit of it was printed, in seconds since 1970."""


def noted_keys(store: Store) -> list[NotedKey]:
    """Return all rows, in the order of their making."""
    return [_noted(row) for row in store.all("SELECT * FROM secret_keys ORDER BY rowid")]


def current_key(store: Store) -> KnownKey | None:
    """Return the key that seals everything; ``None`` while nothing is sealed."""
    row = store.one("SELECT * FROM secret_keys WHERE state = 'current'")
    return None if row is None else _noted(row).known


def open_secrets(store: Store, keys: KeyStore) -> SecretBox:
    """Open the box in which this store's secrets lie sealed, or make it for a new store.

    Raises:
        SecretsError: the key cannot be had, or does not fit the store.

    """
    known = current_key(store)
    if known is not None:
        return known_box(keys, known)
    salt = host.random_bytes(SALT_BYTES)
    # a person may be asked: nobody else has to wait for the database meanwhile
    first = _first_key(store, keys, salt, keys.find(salt, new=True))
    return known_box(keys, first) if isinstance(first, KnownKey) else first


def note_key(db: Connection, known: KnownKey, state: State) -> None:
    """Write a row."""
    db.execute(
        "INSERT INTO secret_keys (kid, check_value, store, salt, state) VALUES (?, ?, ?, ?, ?)",
        (known.kid, known.check_value, known.store, known.salt, state),
    )


def _first_key(
    store: Store, keys: KeyStore, salt: bytes, found: bytes | None
) -> SecretBox | KnownKey:
    """Note the first key of a new store; another process may have been first after all."""
    with store.transaction() as db:
        known = current_key(store)
        if known is not None:
            return known
        box = SecretBox(keys.make(salt) if found is None else found)
        note_key(db, KnownKey(box.check_value(), keys.name, salt, box.kid), "current")
    return box


def _noted(row: Row) -> NotedKey:
    known = KnownKey(row["check_value"], row["store"], row["salt"], row["kid"])
    return NotedKey(known, row["state"], row["kit_at"])
