"""Lock on a console's database: shared by all who use it, or held alone to exchange its key.

A process that read the secrets with the old key would seal with it what nobody could open any
more. The lock is the database's own: for SQLite one on an empty file beside it, for PostgreSQL an
advisory one. It goes with the process that holds it, however that ends.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from .database import Database, DatabaseError

LOCK_FILE = "console.lock"
WAIT_S = 5.0
"""For an exchange to end; it takes less than a second."""
_KEY = 0x6D746775
"""Of PostgreSQL's advisory locks."""


@asynccontextmanager
async def holding(db: Database, *, alone: bool = False) -> AsyncIterator[None]:
    """Hold a database until the block ends.

    Args:
        db: of the console.
        alone: nobody else may have it open, and nobody can open it meanwhile.

    Raises:
        DatabaseError: somebody else holds it in a way that does not go together.

    """
    if db.is_sqlite:
        file = Path(db.engine.url.database or "").with_name(LOCK_FILE)
        lock = await asyncio.to_thread(_lock_file, file, alone)
        try:
            yield
        finally:
            lock.close()
        return
    kind = "" if alone else "_shared"
    async with db.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for left in reversed(range(1 if alone else 10)):
            got = await connection.scalar(text(f"SELECT pg_try_advisory_lock{kind}({_KEY})"))
            if not got and left:
                await asyncio.sleep(WAIT_S / 10)
        if not got:
            raise _taken(alone)
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # a lost connection has lost its locks
                await connection.execute(text(f"SELECT pg_advisory_unlock{kind}({_KEY})"))


def _lock_file(file: Path, alone: bool) -> sqlite3.Connection:
    with suppress(FileExistsError):  # never opened otherwise: closing would drop the locks
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    lock = sqlite3.connect(file, timeout=0.0 if alone else WAIT_S, check_same_thread=False)
    try:
        lock.isolation_level = None
        lock.execute("BEGIN EXCLUSIVE" if alone else "BEGIN")
        lock.execute("SELECT 1 FROM sqlite_schema").fetchall()  # takes the shared lock
    except sqlite3.Error as error:
        lock.close()
        if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
            raise DatabaseError(f"{file} cannot be locked: {error}") from error
        raise _taken(alone) from error
    return lock


def _taken(alone: bool) -> DatabaseError:
    return DatabaseError(
        "a console works on this database; end it, then try again"
        if alone
        else "the key of this console is being exchanged; try again when that is done"
    )
