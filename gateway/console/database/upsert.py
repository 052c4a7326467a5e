"""Insert a row unless it is there; both databases spell it alike, SQLAlchemy does not."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from .model import Base


async def insert_missing(session: AsyncSession, table: type[Base], **values: Any) -> None:
    """Insert a row unless one with its primary key exists; two at once both succeed."""
    if session.get_bind().dialect.name == "sqlite":
        await session.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing())
    else:
        await session.execute(postgresql.insert(table).values(**values).on_conflict_do_nothing())
