"""Tokens, machines, and what passes between them and the console."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class Token(Base):
    """What the signed record of a token is made from."""

    __tablename__ = "tokens"
    __table_args__ = (Index("ix_tokens_user_id_label", "user_id", "label"),)

    tid: Mapped[str] = mapped_column(String(12), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    label: Mapped[str] = mapped_column(String(64))
    platform: Mapped[str | None] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(16))
    """``active``, ``superseded``, ``disabled`` (suspended) or ``revoked``."""
    rec_ver: Mapped[int]
    epoch: Mapped[int]
    """Grows whenever something is taken away; a lease of an older epoch is worth nothing."""
    created_at: Mapped[int]
    exp: Mapped[int | None]
    ended_at: Mapped[int | None]
    """When it was revoked."""
    suspended_from: Mapped[str | None] = mapped_column(String(16))
    """The status that a suspended token has again when it is resumed."""
    replaced_by: Mapped[str | None] = mapped_column(String(12))
    linked_at: Mapped[int | None]
    """When a terminal was first linked with it."""
    scopes: Mapped[str]
    """JSON list."""
    limits: Mapped[str]
    """JSON of :class:`gateway.credentials.record.TradeLimits`."""
    offline: Mapped[str]
    """JSON of :class:`gateway.credentials.record.Offline`."""
    strict_terminal: Mapped[bool]
    stored_key: Mapped[str] = mapped_column(String(64))
    server_key: Mapped[str]
    """Sealed."""
    server_key_sha256: Mapped[str] = mapped_column(String(64))


class Device(Base):
    """A machine whose daemon has spoken to this console."""

    __tablename__ = "devices"

    did: Mapped[str] = mapped_column(String(52), primary_key=True)
    pub: Mapped[str] = mapped_column(String(64))
    os: Mapped[str] = mapped_column(String(100))
    hostname: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(64))
    ip: Mapped[str] = mapped_column(String(64), default="")
    first_seen_at: Mapped[int]
    last_seen_at: Mapped[int]
    seq: Mapped[int] = mapped_column(default=0)
    """Number of its newest event."""
    acked_seq: Mapped[int] = mapped_column(default=0)
    """The newest event that it said it has obeyed."""


class UserDevice(Base):
    """What a user thinks of a machine."""

    __tablename__ = "user_devices"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True, index=True)
    status: Mapped[str] = mapped_column(String(16))
    """``approved`` or ``revoked``."""
    dev_ver: Mapped[int]
    approved_at: Mapped[int | None]
    approved_by: Mapped[str] = mapped_column(String(32), default="")
    """``link`` or ``code``."""
    revoked_at: Mapped[int | None]


class TokenDevice(Base):
    """A token that is, or was, used on a machine."""

    __tablename__ = "token_devices"

    tid: Mapped[str] = mapped_column(ForeignKey("tokens.tid"), primary_key=True)
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True, index=True)
    status: Mapped[str] = mapped_column(String(16))
    """``approved`` or ``revoked``."""
    dev_ver: Mapped[int]
    terminal_fp: Mapped[str] = mapped_column(String(128), default="")
    approved_at: Mapped[int | None]
    approved_by: Mapped[str] = mapped_column(String(32), default="")
    first_seen_at: Mapped[int]
    last_seen_at: Mapped[int]
    lease_exp: Mapped[int] = mapped_column(default=0)
    """End of the newest lease that was handed out."""


class DeviceEvent(Base):
    """What a device has to be told, in order and without gaps."""

    __tablename__ = "device_events"
    __table_args__ = (Index("ix_device_events_tid", "tid"),)

    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str | None] = mapped_column(String(24), index=True)
    """Whose tokens it is about; none for what is about the console's keys."""
    tid: Mapped[str | None] = mapped_column(String(12))
    """None for every token of the user on this device."""
    iat: Mapped[int]
    envelope: Mapped[str]
    ends_by: Mapped[int]
    """By when the device's leases end by themselves, should it never hear of this."""
    acked_at: Mapped[int | None]
    """When the answer of the device came in."""
    stopped_at_ms: Mapped[int | None]
    """What the device says of itself: when it had stopped."""
    closed_ws: Mapped[int | None]
    closed_bridge: Mapped[int | None]
    orders_in_flight: Mapped[int | None]


class RequestNonce(Base):
    """A signed request that came in already."""

    __tablename__ = "request_nonces"

    did: Mapped[str] = mapped_column(String(52), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    exp: Mapped[int] = mapped_column(index=True)
