"""The tables of the console."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables and columns of this step."""
    op.create_table(
        "activity",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=True),
        sa.Column("event", sa.String(length=48), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("tid", sa.String(length=12), nullable=True),
        sa.Column("did", sa.String(length=52), nullable=True),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=256), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activity"),
    )
    op.create_index("ix_activity_at", "activity", ["at"])
    op.create_index("ix_activity_user_id_id", "activity", ["user_id", "id"])
    op.create_table(
        "contacts",
        sa.Column("eid", sa.String(length=32), nullable=False),
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("pub", sa.String(length=64), nullable=False),
        sa.Column("tid", sa.String(length=12), nullable=False),
        sa.Column("os", sa.String(length=100), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("cnonce", sa.String(length=64), nullable=False),
        sa.Column("snonce", sa.String(length=64), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.Column("proved_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("eid", name="pk_contacts"),
    )
    op.create_index("ix_contacts_did", "contacts", ["did"])
    op.create_index("ix_contacts_exp", "contacts", ["exp"])
    op.create_table(
        "devices",
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("pub", sa.String(length=64), nullable=False),
        sa.Column("os", sa.String(length=100), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("acked_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("did", name="pk_devices"),
    )
    op.create_table(
        "key_sets",
        sa.Column("ver", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ver", name="pk_key_sets"),
    )
    op.create_table(
        "request_nonces",
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("did", "nonce", name="pk_request_nonces"),
    )
    op.create_index("ix_request_nonces_exp", "request_nonces", ["exp"])
    op.create_table(
        "sealed_values",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sealed_values"),
    )
    op.create_table(
        "secret_keys",
        sa.Column("kid", sa.String(length=32), nullable=False),
        sa.Column("check_value", sa.LargeBinary(), nullable=False),
        sa.Column("store", sa.String(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_secret_keys"),
    )
    op.create_index(
        "ix_secret_keys_current",
        "secret_keys",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("nbf", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
        sa.UniqueConstraint("number", name="uq_signing_keys_number"),
    )
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_throttles"),
    )
    op.create_index("ix_throttles_at", "throttles", ["at"])
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("password_changed_at", sa.BigInteger(), nullable=False),
        sa.Column("last_login_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
    )
    op.create_table(
        "copied_devices",
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("other_place", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_copied_devices_did"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_copied_devices_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("did", "user_id", name="pk_copied_devices"),
    )
    op.create_table(
        "device_chains",
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_device_chains_did"),
        sa.PrimaryKeyConstraint("did", name="pk_device_chains"),
    )
    op.create_table(
        "device_events",
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=True),
        sa.Column("tid", sa.String(length=12), nullable=True),
        sa.Column("iat", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("ends_by", sa.BigInteger(), nullable=False),
        sa.Column("acked_at", sa.BigInteger(), nullable=True),
        sa.Column("stopped_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_ws", sa.BigInteger(), nullable=True),
        sa.Column("closed_bridge", sa.BigInteger(), nullable=True),
        sa.Column("orders_in_flight", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_device_events_did"),
        sa.PrimaryKeyConstraint("did", "seq", name="pk_device_events"),
    )
    op.create_index("ix_device_events_tid", "device_events", ["tid"])
    op.create_index("ix_device_events_user_id", "device_events", ["user_id"])
    op.create_table(
        "mails",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("dedupe", sa.String(length=100), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=True),
        sa.Column("tid", sa.String(length=12), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_mails_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.UniqueConstraint("dedupe", name="uq_mails_dedupe"),
    )
    op.create_index("ix_mails_status_next_try_at", "mails", ["status", "next_try_at"])
    op.create_index("ix_mails_tid", "mails", ["tid"])
    op.create_index("ix_mails_user_id", "mails", ["user_id"])
    op.create_table(
        "one_time_links",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_one_time_links_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_one_time_links"),
    )
    op.create_index("ix_one_time_links_user_id", "one_time_links", ["user_id"])
    op.create_table(
        "sessions",
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("sid", sa.String(length=24), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("step_up_at", sa.BigInteger(), nullable=False),
        sa.Column("https", sa.Boolean(), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_sessions"),
        sa.UniqueConstraint("sid", name="uq_sessions_sid"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "tokens",
        sa.Column("tid", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.String(length=8), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("rec_ver", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("suspended_from", sa.String(length=16), nullable=True),
        sa.Column("replaced_by", sa.String(length=12), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("offline", sa.Text(), nullable=False),
        sa.Column("strict_terminal", sa.Boolean(), nullable=False),
        sa.Column("stored_key", sa.String(length=64), nullable=False),
        sa.Column("server_key", sa.Text(), nullable=False),
        sa.Column("server_key_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_tokens_user_id"),
        sa.PrimaryKeyConstraint("tid", name="pk_tokens"),
    )
    op.create_index("ix_tokens_user_id_label", "tokens", ["user_id", "label"])
    op.create_table(
        "user_devices",
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("dev_ver", sa.BigInteger(), nullable=False),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("approved_by", sa.String(length=32), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_user_devices_did"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_user_devices_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "did", name="pk_user_devices"),
    )
    op.create_index("ix_user_devices_did", "user_devices", ["did"])
    op.create_table(
        "approval_requests",
        sa.Column("rid", sa.String(length=32), nullable=False),
        sa.Column("eid", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("tid", sa.String(length=12), nullable=False),
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("user_code_hash", sa.Text(), nullable=False),
        sa.Column("ecode_hash", sa.Text(), nullable=False),
        sa.Column("link_hash", sa.String(length=64), nullable=False),
        sa.Column("revoke_hash", sa.String(length=64), nullable=True),
        sa.Column("tries_left", sa.BigInteger(), nullable=False),
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_approval_requests_did"),
        sa.ForeignKeyConstraint(["tid"], ["tokens.tid"], name="fk_approval_requests_tid"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_approval_requests_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rid", name="pk_approval_requests"),
        sa.UniqueConstraint("link_hash", name="uq_approval_requests_link_hash"),
        sa.UniqueConstraint("revoke_hash", name="uq_approval_requests_revoke_hash"),
    )
    op.create_index("ix_approval_requests_did", "approval_requests", ["did"])
    op.create_index("ix_approval_requests_tid", "approval_requests", ["tid"])
    op.create_index("ix_approval_requests_user_id", "approval_requests", ["user_id"])
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("user_id", sa.String(length=24), nullable=False),
        sa.Column("tid", sa.String(length=12), nullable=False),
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("platform", sa.String(length=8), nullable=False),
        sa.Column("login", sa.BigInteger(), nullable=False),
        sa.Column("server", sa.String(length=128), nullable=False),
        sa.Column("company", sa.String(length=128), nullable=False),
        sa.Column("terminal_fp", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_runs_did"),
        sa.ForeignKeyConstraint(["tid"], ["tokens.tid"], name="fk_runs_tid"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_runs_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_tid_did_ended_at", "runs", ["tid", "did", "ended_at"])
    op.create_index("ix_runs_user_id", "runs", ["user_id"])
    op.create_table(
        "token_devices",
        sa.Column("tid", sa.String(length=12), nullable=False),
        sa.Column("did", sa.String(length=52), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("dev_ver", sa.BigInteger(), nullable=False),
        sa.Column("terminal_fp", sa.String(length=128), nullable=False),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("approved_by", sa.String(length=32), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_exp", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["did"], ["devices.did"], name="fk_token_devices_did"),
        sa.ForeignKeyConstraint(["tid"], ["tokens.tid"], name="fk_token_devices_tid"),
        sa.PrimaryKeyConstraint("tid", "did", name="pk_token_devices"),
    )
    op.create_index("ix_token_devices_did", "token_devices", ["did"])
