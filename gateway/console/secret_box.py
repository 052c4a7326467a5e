"""The key that seals the console's secrets: recognised by its check value, kept elsewhere.

The same rules as for a daemon's home, on the console's own database
(:mod:`gateway.credentials.secret_keys`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.credentials.secrets import (
    SALT_BYTES,
    KeyStore,
    KnownKey,
    Place,
    SecretBox,
    known_box,
)

from .database import Database
from .database.model import SealedValue, SecretKey

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
    return None if row is None else KnownKey(row.check_value, row.store, row.salt, row.kid)


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
