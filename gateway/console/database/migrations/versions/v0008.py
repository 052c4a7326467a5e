"""Choices of what users are told by mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table of this step."""
    op.create_table(
        "notice_choices",
        sa.Column("user_id", sa.String(24), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("away_s", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_notice_choices_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_notice_choices"),
    )
