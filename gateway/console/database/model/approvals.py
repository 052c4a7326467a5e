"""First contacts, questions to users, and mails."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class Contact(Base):
    """A first contact of a terminal through a daemon."""

    __tablename__ = "contacts"

    eid: Mapped[str] = mapped_column(String(32), primary_key=True)
    did: Mapped[str] = mapped_column(String(52), index=True)
    pub: Mapped[str] = mapped_column(String(64))
    tid: Mapped[str] = mapped_column(String(12))
    """As the terminal said it; perhaps nobody's."""
    os: Mapped[str] = mapped_column(String(100))
    hostname: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(64))
    terminal: Mapped[str]
    """JSON of its facts: platform, login, server, company, fp."""
    cnonce: Mapped[str] = mapped_column(String(64))
    snonce: Mapped[str] = mapped_column(String(64))
    ip: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]
    exp: Mapped[int] = mapped_column(index=True)
    proved_at: Mapped[int | None]


class ApprovalRequest(Base):
    """A question to a user: is this machine yours?"""

    __tablename__ = "approval_requests"

    rid: Mapped[str] = mapped_column(String(32), primary_key=True)
    eid: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    tid: Mapped[str] = mapped_column(ForeignKey("tokens.tid"), index=True)
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    """``open``, ``approved``, ``refused``, ``dead`` (too many tries, or a newer one)."""
    user_code_hash: Mapped[str]
    ecode_hash: Mapped[str]
    link_hash: Mapped[str] = mapped_column(String(64), unique=True)
    revoke_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Of the link in the mail that tells of the approval."""
    tries_left: Mapped[int]
    terminal: Mapped[str]
    """JSON of its facts."""
    ip: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[int]
    exp: Mapped[int]
    decided_at: Mapped[int | None]
    decided_by: Mapped[str] = mapped_column(String(32), default="")


class CopiedDevice(Base):
    """A machine whose key was used from two places at once: it gets no leases of this user."""

    __tablename__ = "copied_devices"

    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    """Who has approved it, and is to decide."""
    at: Mapped[int]
    place: Mapped[str] = mapped_column(String(200))
    other_place: Mapped[str] = mapped_column(String(200))


class DeviceChain(Base):
    """What a device was answered, to notice that two ask with its key."""

    __tablename__ = "device_chains"

    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True)
    chain: Mapped[str]
    """JSON of a :class:`gateway.console.chain.Chain`."""


class Mail(Base):
    """A mail that is to be sent, or was."""

    __tablename__ = "mails"
    __table_args__ = (Index("ix_mails_status_next_try_at", "status", "next_try_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    dedupe: Mapped[str] = mapped_column(String(100), unique=True)
    """One mail goes out for it."""
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    tid: Mapped[str | None] = mapped_column(String(12), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    address: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str]
    """Sealed: it may hold codes. Empty once it is sent or given up."""
    status: Mapped[str] = mapped_column(String(16))
    """``queued``, ``sent``, ``failed`` or ``expired``."""
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int]
    next_try_at: Mapped[int]
    exp: Mapped[int]
    sent_at: Mapped[int | None]
    error: Mapped[str] = mapped_column(String(200), default="")
