"""People, their sessions, and what they did."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class User(Base):
    """A person who logs in."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    """As the person wrote it; mails go there."""
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case: one account per address."""
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str]
    is_admin: Mapped[bool]
    status: Mapped[str] = mapped_column(String(16))
    """``active`` or ``disabled``."""
    must_change_password: Mapped[bool] = mapped_column(default=False)
    """Somebody may know it: nothing else is done before it is changed."""
    created_at: Mapped[int]
    password_changed_at: Mapped[int]
    last_login_at: Mapped[int | None]


class Session(Base):
    """A browser that is logged in."""

    __tablename__ = "sessions"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of what the cookie holds."""
    sid: Mapped[str] = mapped_column(String(24), unique=True)
    """Names the session in lists; opens nothing."""
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[int]
    seen_at: Mapped[int]
    step_up_at: Mapped[int]
    """When the password was last given; 0 if that counts no more."""
    https: Mapped[bool]
    """It began over https: no other server gets its cookie."""
    ip: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(256))


class OneTimeLink(Base):
    """A link that works once: the first administrator's, a password reset."""

    __tablename__ = "one_time_links"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[int]
    exp: Mapped[int]
    taken_at: Mapped[int | None]


class Throttle(Base):
    """Failures of one account or address, whether the account exists or not."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    count: Mapped[int]
    at: Mapped[int] = mapped_column(index=True)
    """Of an account: the last failure. Of an address: the beginning of its minute."""


class Activity(Base):
    """Who did what; never a secret, never a code."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_user_id_id", "user_id", "id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[int] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(String(24))
    event: Mapped[str] = mapped_column(String(48))
    """Such as ``login``, ``token.created``, ``device.approved``."""
    outcome: Mapped[str] = mapped_column(String(16))
    """``ok``, ``refused`` or ``failed``."""
    tid: Mapped[str | None] = mapped_column(String(12))
    did: Mapped[str | None] = mapped_column(String(52))
    ip: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(256))
    detail: Mapped[str] = mapped_column(String(500))
