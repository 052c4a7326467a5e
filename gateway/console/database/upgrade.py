"""Bring a database up to this version's tables, with the migrations inside this package."""

from __future__ import annotations

import logging

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

LOCK = 0x6D746777
"""Of PostgreSQL's advisory locks: one process upgrades at a time."""


class NewerDatabase(Exception):
    """The database was made by a newer version of this program."""


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, within the connection's transaction.

    Raises:
        NewerDatabase: it has migrations that this version does not know.

    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # says at each start what it is
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    config = Config()
    config.set_main_option("script_location", "gateway.console.database:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    there = MigrationContext.configure(connection).get_current_heads()
    if not set(there) <= known:
        raise NewerDatabase(
            "the console's database was made by a newer version; install that one, or use another "
            "database"
        )
    if set(there) == set(scripts.get_heads()):
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
