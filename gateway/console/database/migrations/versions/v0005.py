"""Hooks for alerts of TradingView, and the alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables of this step."""
    op.create_table(
        "hooks",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("user_id", sa.String(24), nullable=False),
        sa.Column("tid", sa.String(12), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_hooks_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tid"], ["tokens.tid"], name="fk_hooks_tid"),
        sa.PrimaryKeyConstraint("id", name="pk_hooks"),
        sa.UniqueConstraint("secret_hash", name="uq_hooks_secret_hash"),
    )
    op.create_index("ix_hooks_user_id", "hooks", ["user_id"])
    op.create_table(
        "hook_alerts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("hook_id", sa.String(24), nullable=False),
        sa.Column("aid", sa.String(64)),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger()),
        sa.Column("did", sa.String(52)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("words", sa.String(200), nullable=False),
        sa.Column("error", sa.String(48), nullable=False),
        sa.Column("message", sa.String(200), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("volume", sa.String(24), nullable=False),
        sa.Column("price", sa.String(24), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("repeats", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["hook_id"], ["hooks.id"], name="fk_hook_alerts_hook_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_hook_alerts"),
        sa.UniqueConstraint("aid", name="uq_hook_alerts_aid"),
    )
    op.create_index("ix_hook_alerts_at", "hook_alerts", ["at"])
    op.create_index("ix_hook_alerts_hook_id_id", "hook_alerts", ["hook_id", "id"])
    op.create_index("ix_hook_alerts_did_status", "hook_alerts", ["did", "status"])
