"""Newest row of a device's audit trail on earlier days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the columns of this step."""
    op.add_column(
        "device_trails", sa.Column("earlier", sa.Text(), server_default="[]", nullable=False)
    )
    op.add_column(
        "device_trails",
        sa.Column("newest_at", sa.BigInteger(), server_default="0", nullable=False),
    )
