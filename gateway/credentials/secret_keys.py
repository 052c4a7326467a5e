"""Keys that seal a store's secrets, as its table ``secret_keys`` knows them, and their exchange.

One key is current, and seals everything. While it is exchanged there is another one: first it is
``coming``, noted before it is made, so that nothing is ever left in a key store of which nobody
knows; then, in the transaction that seals everything anew, it becomes the current one and the old
one is ``retired`` until its key store has deleted it.

An exchange, within one key store or into another, goes in this order, so that at every moment one
key that lies safely opens everything:

1. the new key is noted as ``coming``, then made and read back; one that is given, as a passphrase
   is, need not be made;
2. in one transaction everything is sealed anew, and the new key becomes the current one;
3. the old key is deleted where it lies, and its note after it; so is what an earlier run left
   that was killed.

Whoever is killed before the end of 2 has changed nothing; after it, everything. Nobody else may
have the secrets open meanwhile: :mod:`gateway.home.home_key` sees to that.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Literal

from ea_bridge import host
from gateway.storage.store import Store, StoreError

from .secrets import (
    SALT_BYTES,
    KeyStore,
    KnownKey,
    SealedColumn,
    SecretBox,
    SecretsError,
    known_box,
)

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
        # made under the lock: of two first starts at a time one makes a key
        box = SecretBox(keys.make(salt) if found is None else found)
        note_key(db, KnownKey(box.check_value(), keys.name, salt, box.kid), "current")
    return box


def _noted(row: Row) -> NotedKey:
    known = KnownKey(row["check_value"], row["store"], row["salt"], row["kid"])
    return NotedKey(known, row["state"], row["kit_at"])


StoreNamed = Callable[[str], KeyStore]
"""Returns the key store of a name that the database noted."""


@dataclass(frozen=True)
class Exchanged:
    """Result of an exchange of keys."""

    kid: str
    """Of the new key."""
    rows: int
    """Sealed anew."""
    left: tuple[str, ...]
    """Why old keys could not be deleted; the next exchange tries again."""


def exchange_key(
    store: Store,
    old: SecretBox,
    new_store: KeyStore,
    *,
    sealed: Collection[SealedColumn],
    store_named: StoreNamed,
    at_row: Callable[[], None] = lambda: None,
) -> Exchanged:
    """Seal everything with a new key.

    Args:
        store: whose secrets these are.
        old: opens them now.
        new_store: where the new key is to lie.
        sealed: all columns of the store that hold secrets.
        store_named: for the old key, and for what an earlier run left.
        at_row: called before each row is written.

    Raises:
        SecretsError: a secret does not open, a key store cannot be used, or another process was
            faster. The secrets are as they were.

    """
    _expect(store, old)
    coming = KnownKey(b"", new_store.name, host.random_bytes(SALT_BYTES), _next_kid(store))
    # before the lock: a person may be asked for a passphrase
    given = new_store.find(coming.salt, new=True)
    try:
        with store.transaction() as db:
            # a kill from here on leaves a note, never a key that nobody knows of
            note_key(db, coming, "coming")
        new = SecretBox(_given_or_made(new_store, coming.salt, given, old), coming.kid)
        with store.transaction() as db:
            # once more, under the lock: another exchange may have ended meanwhile
            _expect(store, old)
            rows = _reseal(db, old, new, sealed, at_row)
            # before the commit: what is left under the old key would be lost with it
            _look_for_others(db, new.kid)
            _promote(db, old, new)
    # Ctrl+C as well: the new key must not stay behind
    except BaseException:
        with suppress(StoreError):
            delete_leftovers(store, store_named)
        raise
    return Exchanged(new.kid, rows, tuple(delete_leftovers(store, store_named)))


def delete_leftovers(store: Store, store_named: StoreNamed) -> list[str]:
    """Delete the keys that seal nothing any more where they lie, then their notes.

    Returns:
        Why some could not be deleted.

    """
    reasons = []
    for noted in noted_keys(store):
        if noted.state == "current":
            continue
        known = noted.known
        try:
            # the key before its note: a kill in between leaves a note, and the next run deletes it
            store_named(known.store).forget(known)
        except SecretsError as error:
            reasons.append(f"{known.kid}: {error}")
            continue
        with store.transaction() as db:
            db.execute(
                "DELETE FROM secret_keys WHERE kid = ? AND state != 'current'", (known.kid,)
            )
    return reasons


def count_sealed(store: Store, sealed: Collection[SealedColumn]) -> dict[str, int]:
    """Return how many secrets there are, by ``table.column``."""
    return {
        f"{field.table}.{field.column}": store.all(
            f"SELECT count({field.column}) AS n FROM {field.table}"  # noqa: S608 (names of ours)
        )[0]["n"]
        for field in sealed
    }


# --- the new key ---------------------------------------------------------------------------


def _next_kid(store: Store) -> str:
    numbers = [int(noted.known.kid.removeprefix("k")) for noted in noted_keys(store)]
    return f"k{max(numbers) + 1}"


def _given_or_made(keys: KeyStore, salt: bytes, given: bytes | None, old: SecretBox) -> bytes:
    """Make the key, unless another than the old one is given; see that it is found again."""
    if given is not None and not hmac.compare_digest(given, old.kek):
        return given
    made = keys.make(salt)
    if keys.find(salt, new=False) != made:
        raise SecretsError(f"{keys.place} was not kept; nothing was changed: {keys.remedy}")
    return made


# --- within the transaction ----------------------------------------------------------------


def _expect(store: Store, old: SecretBox) -> None:
    known = current_key(store)
    if known is None or not hmac.compare_digest(known.check_value, old.check_value()):
        raise SecretsError(
            "another process exchanged the key meanwhile; see: mt-gateway secrets status"
        )


def _reseal(
    db: Connection,
    old: SecretBox,
    new: SecretBox,
    sealed: Collection[SealedColumn],
    at_row: Callable[[], None],
) -> int:
    count = 0
    for field in sealed:
        # our own names, from the list beside the migrations
        key, column, table = field.key, field.column, field.table
        read = f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 (names of ours)
        write = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"  # noqa: S608 (the same)
        # all at once: the rows change under the query
        for row, text in db.execute(read).fetchall():
            at_row()
            db.execute(write, (new.rewrap(text, field.place(str(row)), old), row))
            count += 1
    return count


def _promote(db: Connection, old: SecretBox, new: SecretBox) -> None:
    db.execute("UPDATE secret_keys SET state = 'retired' WHERE kid = ?", (old.kid,))
    db.execute(
        "UPDATE secret_keys SET state = 'current', check_value = ? WHERE kid = ?",
        (new.check_value(), new.kid),
    )


def _look_for_others(db: Connection, kid: str) -> None:
    """See that nothing is left that is sealed with another key: it would be lost."""
    for table, column in _texts(db):
        row = db.execute(
            f'SELECT 1 FROM "{table}" WHERE "{column}" GLOB \'mgs1.*\''  # noqa: S608 (of the schema)
            f' AND "{column}" NOT GLOB ? LIMIT 1',
            (f"mgs1.{kid}.*",),
        ).fetchone()
        if row is not None:
            raise SecretsError(
                f"the key was not exchanged: {table}.{column} holds secrets that this version of "
                "mt-gateway does not know; install a newer one"
            )


def _texts(db: Connection) -> Iterator[tuple[str, str]]:
    yield from db.execute(
        "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
    ).fetchall()
