"""Key that seals the console's secrets: opened, and exchanged for another.

The same rules as for a daemon's home (:mod:`gateway.credentials.secret_keys`), on the console's
own database: the key is recognised by its check value, and kept elsewhere.

An exchange goes in such an order that at every moment one key that lies safely opens everything:
the new key is noted as ``coming``, then made and read back; in one transaction everything is
sealed anew and the new key becomes the current one; then the old key is deleted where it lies, and
its note after it. Whoever is killed has changed nothing, or everything.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.credentials.key_store import key_store, store_named
from gateway.credentials.secret_keys import Exchanged
from gateway.credentials.secrets import (
    SALT_BYTES,
    KeyStore,
    KnownKey,
    Place,
    SecretBox,
    SecretsError,
    known_box,
)

from .database import Database, database_url, open_database
from .database.engine import holding
from .database.model import SEALED, Base, SealedValue, SecretKey
from .settings import ConsoleSettings

_BYTES = 32


async def open_box(db: Database, store_for: Callable[[str | None], KeyStore]) -> SecretBox:
    """Open the box in which this database's secrets lie sealed, or make it for a new one.

    The key store is asked in a thread and outside of any transaction: a person may have to answer.

    Args:
        db: of the console.
        store_for: returns the key store to use, given the name of the one that the database
            noted; ``None`` for a new database.

    Raises:
        SecretsError: the key cannot be had, or does not fit the database.

    """
    async with db.session() as session:
        known = await current_key(session)
    # by the name that the database noted: settings that were changed since lead to no other key
    keys = store_for(None if known is None else known.store)
    if known is None:
        salt = host.random_bytes(SALT_BYTES)
        # a key that an operator has given is taken; else one is made below, in the transaction
        found = await asyncio.to_thread(keys.find, salt, new=True)
        async with db.begin() as session:
            # two consoles may open a new database at once: the second takes the key of the first
            await db.take_turns(session, "secret_keys")
            known = await current_key(session)
            if known is None:
                return await _first(session, keys, salt, found)
    return await asyncio.to_thread(known_box, keys, known)


async def current_key(session: AsyncSession) -> KnownKey | None:
    """Return what is known of the key that seals everything; ``None`` for a new database."""
    wanted = select(SecretKey).where(SecretKey.state == "current")
    row = (await session.scalars(wanted)).one_or_none()
    return None if row is None else _known(row)


def value_place(name: str) -> Place:
    """Return the place where a secret of the console's own lies sealed."""
    return Place("sealed_values", name, "sealed")


async def sealed_value(db: Database, box: SecretBox, name: str) -> bytes:
    """Return a random secret of the console's own; it is made when it is first asked for."""
    place = value_place(name)
    async with db.begin() as session:
        await db.take_turns(session, "sealed_values")
        # looked up after the turn: the other console may have made it meanwhile
        row = await session.get(SealedValue, name)
        if row is None:
            row = SealedValue(name=name, sealed=box.seal(host.random_bytes(_BYTES), place))
            session.add(row)
        return box.open(row.sealed, place)


async def _first(
    session: AsyncSession, keys: KeyStore, salt: bytes, found: bytes | None
) -> SecretBox:
    # made here and not before: the one of two that comes second leaves no key behind
    box = SecretBox(await asyncio.to_thread(keys.make, salt) if found is None else found)
    row = SecretKey(kid=box.kid, check_value=box.check_value(), store=keys.name, salt=salt)
    row.state = "current"
    session.add(row)
    return box


StoreNamed = Callable[[str], KeyStore]


async def exchange_console_key(
    home: Path,
    settings: ConsoleSettings,
    *,
    to: str | None = None,
    at_row: Callable[[], None] = lambda: None,
) -> Exchanged:
    """Seal all secrets of a console with a new key. The console must not run.

    Args:
        home: of the console.
        settings: of the configuration.
        to: the name of another key store for the new key.
        at_row: called before each row is written.

    Raises:
        DatabaseError: the database cannot be opened, or a console works on it.
        SecretsError: a secret does not open, or a key store cannot be used. The secrets are as
            they were.

    """
    async with (
        open_database(database_url(home, settings.console_server.database)) as db,
        holding(db, alone=True),
    ):
        old = await open_box(
            db, lambda noted: key_store(settings.secrets, home, noted, console=True)
        )

        def named(name: str) -> KeyStore:
            return store_named(name, settings.secrets, home, console=True)

        async with db.session() as session:
            known = await current_key(session)
        assert known is not None  # it was just opened
        return await _exchange(db, old, named(to or known.store), named, at_row)


async def _exchange(
    db: Database,
    old: SecretBox,
    new_store: KeyStore,
    named: StoreNamed,
    at_row: Callable[[], None],
) -> Exchanged:
    # of an exchange that was killed: its new key seals nothing, and would only lie about
    await _delete_leftovers(db, named)
    # noted before it is made: killed in between, the next exchange finds and deletes it
    coming = await _note_coming(db, new_store.name)
    try:
        # in a thread: a keyring may ask a person
        kek = await asyncio.to_thread(_make, new_store, coming.salt, old)
        new = SecretBox(kek, coming.kid)
        async with db.begin() as session:
            known = await _expect(session, old)
            rows = await _reseal(session, old, new, at_row)
            await _promote(session, known, new)
    # also when it is cancelled: the new key opens nothing then, and goes again
    except BaseException:
        await _delete_leftovers(db, named)
        raise
    return Exchanged(new.kid, rows, left=await _delete_leftovers(db, named))


async def _delete_leftovers(db: Database, named: StoreNamed) -> tuple[str, ...]:
    """Delete the keys that seal nothing; return why some could not be."""
    async with db.session() as session:
        wanted = select(SecretKey).where(SecretKey.state != "current").order_by(SecretKey.kid)
        left = [_known(row) for row in await session.scalars(wanted)]
    reasons = [(known.kid, await _delete(db, known, named)) for known in left]
    return tuple(f"{kid}: {reason}" for kid, reason in reasons if reason is not None)


async def _note_coming(db: Database, name: str) -> KnownKey:
    async with db.begin() as session:
        kids = (await session.scalars(select(SecretKey.kid))).all()
        # above all that are noted: no two keys of a moment share a name
        number = max(int(kid.removeprefix("k")) for kid in kids) + 1
        salt = host.random_bytes(SALT_BYTES)
        row = SecretKey(kid=f"k{number}", check_value=b"", store=name, salt=salt, state="coming")
        session.add(row)
        return _known(row)


def _make(keys: KeyStore, salt: bytes, old: SecretBox) -> bytes:
    """Make the key, unless another than the old one is given; see that it is found again."""
    found = keys.find(salt, new=True)
    # a store whose key is given from outside: the same key again would be no exchange
    if found is not None and not hmac.compare_digest(found, old.kek):
        return found
    made = keys.make(salt)
    # read back before anything is sealed with it: a store that loses keys would lose all secrets
    if keys.find(salt, new=False) != made:
        raise SecretsError(f"{keys.place} was not kept; nothing was changed: {keys.remedy}")
    return made


async def _expect(session: AsyncSession, old: SecretBox) -> KnownKey:
    known = await current_key(session)
    # the lock keeps processes of this version out; another that knows no lock may have written
    if known is None or not hmac.compare_digest(known.check_value, old.check_value()):
        raise SecretsError("another process exchanged the key meanwhile")
    return known


async def _reseal(
    session: AsyncSession, old: SecretBox, new: SecretBox, at_row: Callable[[], None]
) -> int:
    count = 0
    for secret in SEALED:
        table = Base.metadata.tables[secret.table]
        key, column = table.c[secret.key], table.c[secret.column]
        for row, text in (await session.execute(select(key, column))).all():
            if not text:  # a mail that was sent
                continue
            at_row()
            # sealed anew as a whole: the id of the key is authenticated in each secret
            sealed = new.rewrap(text, secret.place(row), old)
            await session.execute(update(table).where(key == row).values({secret.column: sealed}))
            count += 1
    return count


async def _promote(session: AsyncSession, known: KnownKey, new: SecretBox) -> None:
    for kid, values in (
        (known.kid, {"state": "retired"}),
        (new.kid, {"state": "current", "check_value": new.check_value()}),
    ):
        await session.execute(update(SecretKey).where(SecretKey.kid == kid).values(values))


async def _delete(db: Database, known: KnownKey, named: StoreNamed) -> str | None:
    """Delete a key where it lies, then its note; return why it could not be."""
    try:
        # the key first, its note after it: killed in between, the note leads to the key once more
        await asyncio.to_thread(named(known.store).forget, known)
    except SecretsError as error:
        return str(error)
    gone = (SecretKey.kid == known.kid) & (SecretKey.state != "current")
    async with db.begin() as session:
        await session.execute(delete(SecretKey).where(gone))
    return None


def _known(row: SecretKey) -> KnownKey:
    return KnownKey(row.check_value, row.store, row.salt, row.kid)
