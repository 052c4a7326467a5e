"""Bring a database up to this version's tables.

A new database gets all tables at once, an old one the migrations that it lacks. Alembic takes
longer to import than most starts of the console take, so that it is imported for the latter alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from .model import Base

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0008"
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
    """Refusal of a database that a newer version of this program made."""


def upgrade(connection: Connection) -> None:
    """Make the tables, or run the migrations that are missing, within the connection's
    transaction.

    Raises:
        NewerDatabase: it has migrations that this version does not know.

    """
    if connection.dialect.name == "postgresql":
        # two consoles of a new version may start at once; SQLite's one writer does the same
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    tables = set(inspect(connection).get_table_names())
    # also other programs' tables may lie in a PostgreSQL database: only ours count
    if not tables & {_VERSION.name, *Base.metadata.tables}:
        _create(connection)
    elif _VERSION.name not in tables or _versions(connection) != {HEAD}:
        migrate(connection)


def _create(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(_VERSION.insert(), {"version_num": HEAD})


def _versions(connection: Connection) -> set[str]:
    return set(connection.scalars(select(_VERSION.c.version_num)))


def migrate(connection: Connection) -> None:
    """Run the migrations that are missing, within the connection's transaction.

    Raises:
        NewerDatabase: it has migrations that this version does not know.

    """
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    logging.getLogger("alembic").setLevel(logging.WARNING)  # says at each start what it is
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    there = MigrationContext.configure(connection).get_current_heads()
    # an older program would write rows that the newer one cannot read: it must not begin
    if not set(there) <= known:
        raise NewerDatabase(
            "the console's database was made by a newer version; install that one, or use another "
            "database"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def newest() -> str | None:
    """Return the name of the last migration."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "gateway.console.database:migrations")
    config.set_main_option("path_separator", "os")
    return config
