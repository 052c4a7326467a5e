"""The migrations inside this package, run by Alembic; see :mod:`.upgrade`."""

from __future__ import annotations

import logging

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from .upgrade import NewerDatabase


def migrate(connection: Connection) -> None:
    """Run the migrations that are missing, within the connection's transaction.

    Raises:
        NewerDatabase: it has migrations that this version does not know.

    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # says at each start what it is
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    there = MigrationContext.configure(connection).get_current_heads()
    if not set(there) <= known:
        raise NewerDatabase(
            "the console's database was made by a newer version; install that one, or use another "
            "database"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def newest() -> str | None:
    """Return the name of the last migration."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.console.database:migrations")
    config.set_main_option("path_separator", "os")
    return config
