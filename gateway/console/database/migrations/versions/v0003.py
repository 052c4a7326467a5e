"""Length of the audit trail of each device."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables and columns of this step."""
    op.create_table(
        "device_trails",
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("newest", sa.Text(), nullable=False),
        sa.Column("contradiction", sa.Text(), nullable=False),
        sa.Column("contradicted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_device_trails_did"),
        sa.PrimaryKeyConstraint("did", name="pk_device_trails"),
    )
