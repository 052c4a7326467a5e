"""Runs with their end, a log of logins, the first use of a token."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables and columns of this step."""
    op.add_column("tokens", sa.Column("linked_at", sa.BigInteger(), nullable=True))
    for name in ("run", "reason", "version"):
        op.add_column(
            "runs", sa.Column(name, sa.String(length=64), server_default="", nullable=False)
        )
    op.create_index("ix_runs_did_run", "runs", ["did", "run"])
    op.create_index("ix_runs_user_id_started_at", "runs", ["user_id", "started_at"])
    # a token with a run was linked: its first is the best that is known
    op.execute(
        "UPDATE tokens SET linked_at = (SELECT min(runs.started_at) FROM runs "
        "WHERE runs.tid = tokens.tid AND runs.state <> 'pending')"
    )
    op.create_table(
        "logins",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("tid", sa.String(length=12), nullable=False),
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("agent", sa.String(length=64), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_logins_did"),
        sa.ForeignKeyConstraint(["tid"], ["tokens.tid"], name="fk_logins_tid"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_logins_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_logins"),
        sa.UniqueConstraint("did", "line", name="uq_logins_did_line"),
    )
    op.create_index("ix_logins_last_at", "logins", ["last_at"])
    op.create_index("ix_logins_tid_id", "logins", ["tid", "id"])
    op.create_index("ix_logins_user_id_id", "logins", ["user_id", "id"])
