"""The console's database: tables, migrations, transactions."""

from .engine import (
    Database,
    DatabaseError,
    NewerDatabase,
    after_commit,
    database_url,
    home_url,
    insert_missing,
    open_database,
)

__all__ = [
    "Database",
    "DatabaseError",
    "NewerDatabase",
    "after_commit",
    "database_url",
    "home_url",
    "insert_missing",
    "open_database",
]
