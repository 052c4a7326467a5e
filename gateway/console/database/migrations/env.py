"""Alembic's environment: :mod:`gateway.console.database.engine` hands it an open connection."""

from __future__ import annotations

from alembic import context

from gateway.console.database.model import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
)
with context.begin_transaction():
    context.run_migrations()
