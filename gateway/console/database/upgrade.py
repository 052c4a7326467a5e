"""Bring a database up to this version's tables.

A new database gets all tables at once, an old one the migrations that it lacks. Alembic takes
longer to import than most starts of the console take, so that it is imported for the latter alone.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from .model import Base

HEAD = "0004"
"""The last migration; a test sees that it is."""
LOCK = 0x6D746777
"""Of PostgreSQL's advisory locks: one process upgrades at a time."""

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True, nullable=False),
)
"""As Alembic makes it."""


class NewerDatabase(Exception):
    """The database was made by a newer version of this program."""


def upgrade(connection: Connection) -> None:
    """Make the tables, or run the migrations that are missing, within the connection's
    transaction.

    Raises:
        NewerDatabase: it has migrations that this version does not know.

    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    tables = set(inspect(connection).get_table_names())
    if not tables & {_VERSION.name, *Base.metadata.tables}:
        _create(connection)
    elif _VERSION.name not in tables or _versions(connection) != {HEAD}:
        from .migrate import migrate

        migrate(connection)


def _create(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(_VERSION.insert(), {"version_num": HEAD})


def _versions(connection: Connection) -> set[str]:
    return set(connection.scalars(select(_VERSION.c.version_num)))
